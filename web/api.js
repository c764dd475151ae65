// SPDX-License-Identifier: Apache-2.0
// Asking the gateway: calls, and the live stream that heals by itself.

export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || body?.title || `the gateway answered ${status}`);
    this.status = status;
    this.code = body?.code;
  }
}

// The header tells the gateway that this page asks, and no other (cross-site requests can't set it).
export async function call(method, path, body) {
  const headers = { 'X-Ganglion': 'page' };
  if (body !== undefined) headers['Content-Type'] = 'application/json';
  const answer = await fetch(`api/v1/${path}`, {
    method, headers, body: body === undefined ? undefined : JSON.stringify(body), credentials: 'same-origin',
  });
  if (answer.status === 204) return null;
  const json = await answer.json().catch(() => null);
  if (!answer.ok) throw new Problem(answer.status, json);
  return json;
}

export const signalPath = (name) => `signals/${name.split('/').map(encodeURIComponent).join('/')}`;

// on: {values, event, status, reset, up, down}. EventSource comes back by itself after a lost connection, but
// not after an answer that is no stream (a gateway that is starting, a session that has ended): we do that.
export function live(on) {
  let source = null;
  let heard = 0;
  let timer = 0;

  function close() {
    clearTimeout(timer);
    source?.close();
    source = null;
  }

  function open() {
    close();
    source = new EventSource('api/v1/live');
    source.onopen = () => { heard = Date.now(); on.up(); };
    source.onerror = () => {
      on.down();
      if (source?.readyState === EventSource.CLOSED) timer = setTimeout(retry, 2000);
    };
    for (const type of ['values', 'event', 'status', 'reset']) {
      source.addEventListener(type, (message) => {
        heard = Date.now();
        on[type](JSON.parse(message.data));
      });
    }
  }

  async function retry() {
    try {
      await call('GET', 'session');
      open();
    } catch (problem) {
      if (problem.status === 401) on.out();
      else timer = setTimeout(retry, 2000);
    }
  }

  // A link that dies without a word: the gateway speaks every second.
  const watch = setInterval(() => {
    if (source?.readyState === EventSource.OPEN && Date.now() - heard > 5000) {
      on.down();
      open();
    }
  }, 1000);

  open();
  return { close() { clearInterval(watch); close(); } };
}
