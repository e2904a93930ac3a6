"""The pages for the staff: drawn on the server, in Japanese and English, live by server-sent events."""
