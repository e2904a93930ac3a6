// Keeps an open page true. The server sends the page's live part again whenever it has changed; here it is laid over the
// old one, node by node, so that focus, selection and scroll stay where they are. Without this file every page works
// as it is when it is loaded.
"use strict";

const LONGEST_WAIT_MS = 30000;

const keyOf = (node) => (node.nodeType === Node.ELEMENT_NODE && node.id ? node.id : null);

const isSame = (one, two) =>
  one.nodeType === two.nodeType && one.nodeName === two.nodeName && keyOf(one) === keyOf(two);

function light(node) {
  const shown = node.closest("td, .tile, li");
  if (!shown) return;
  shown.classList.remove("lit");
  void shown.offsetWidth; // starts the animation anew
  shown.classList.add("lit");
}

function takeAttributes(old, fresh) {
  for (const { name, value } of fresh.attributes) {
    if (name === "class" && old.classList.contains("lit")) {
      old.className = `${value} lit`;
    } else if (old.getAttribute(name) !== value) {
      old.setAttribute(name, value);
    }
  }
  for (const { name } of [...old.attributes]) {
    if (!fresh.hasAttribute(name) && !(name === "open" || (name === "class" && old.className === "lit"))) {
      old.removeAttribute(name);
    }
  }
}

function lay(old, fresh) {
  const known = new Map([...old.children].filter(keyOf).map((node) => [node.id, node]));
  let at = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    let found = key ? known.get(key) : at && !keyOf(at) && isSame(at, wanted) ? at : null;
    if (found && isSame(found, wanted)) {
      if (found !== at) old.insertBefore(found, at);
      at = found.nextSibling;
      if (found.nodeType === Node.TEXT_NODE) {
        if (found.nodeValue !== wanted.nodeValue) {
          found.nodeValue = wanted.nodeValue;
          if (wanted.nodeValue.trim()) light(old);
        }
      } else if (found.nodeType === Node.ELEMENT_NODE) {
        takeAttributes(found, wanted);
        lay(found, wanted);
      }
    } else {
      const made = document.importNode(wanted, true);
      old.insertBefore(made, at);
      if (made.nodeType === Node.ELEMENT_NODE && key) made.classList.add("lit");
    }
  }
  while (at) {
    const next = at.nextSibling;
    at.remove();
    at = next;
  }
}

function follow(live) {
  const pulse = document.getElementById("pulse");
  let stream = null;
  let wait = 1000;
  let timer = 0;

  const tell = (state) => {
    pulse.hidden = false;
    pulse.className = `pulse ${state}`;
    const text = state === "on" ? pulse.dataset.live : pulse.dataset.lost;
    if (pulse.textContent !== text) pulse.textContent = text;
  };
  const close = () => {
    clearTimeout(timer);
    if (stream) stream.close();
    stream = null;
  };
  const open = () => {
    close();
    stream = new EventSource(location.pathname + location.search);
    stream.onopen = () => {
      wait = 1000;
      tell("on");
    };
    stream.addEventListener("part", (event) => {
      lay(live, new DOMParser().parseFromString(event.data, "text/html").body);
    });
    stream.addEventListener("over", () => location.reload());
    stream.onerror = () => {
      tell("lost");
      if (stream && stream.readyState === EventSource.CLOSED) {
        timer = setTimeout(open, wait);
        wait = Math.min(2 * wait, LONGEST_WAIT_MS);
      }
    };
  };
  // A page that nobody sees holds no connection: browsers give a site only a few.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : open()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => event.persisted && open());
  if (!document.hidden) open();
}

const live = document.querySelector("[data-live]:not(.pulse)");
if (live) follow(live);
for (const form of document.querySelectorAll("form[method=post]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
}
