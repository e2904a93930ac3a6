"""HTTP for people and programs: health, metrics, and the API that also answers on the control socket."""
