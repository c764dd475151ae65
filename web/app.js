// SPDX-License-Identifier: Apache-2.0
// The dashboard: is the site well, what is open, what do the signals do.
import { call, live, signalPath, Problem } from './api.js';
import { draw, sparkline } from './chart.js';

const $ = (id) => document.getElementById(id);
const POINTS = 240;         // of a sparkline
const TILES = 120;          // on the page at once; the others are found by name
const HISTORY = '15min';
const PARTS = ['low', 'high', 'score', 'expected'];

const state = {
  role: 'viewer',
  signals: new Map(),       // name -> {name, unit, last, points, parts, tile}
  events: new Map(),        // id -> event, those not cleared
  status: null,
  link: null,
  connected: false,
  filter: '',
  dirty: new Set(),         // names of signals to be drawn
};

function make(tag, text, className) {
  const e = document.createElement(tag);
  if (text !== undefined) e.textContent = text;
  if (className) e.className = className;
  return e;
}

// ---- words and numbers ----

const plural = (n, one, many) => `${n.toLocaleString()} ${n === 1 ? one : many}`;

function bytes(n) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  while (n >= 1024 && i < units.length - 1) { n /= 1024; i += 1; }
  return `${n.toLocaleString(undefined, { maximumFractionDigits: n < 10 && i ? 1 : 0 })} ${units[i]}`;
}

function age(seconds) {
  if (seconds < 1.5) return 'now';
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

function value(v) {
  if (v === null || v === undefined) return 'no value';
  if (v.base64 !== undefined) return v.base64;
  if (typeof v !== 'number') return String(v);
  return v.toLocaleString(undefined, { maximumSignificantDigits: 6 });
}

// ---- the site in a sentence ----

function sentence() {
  const s = state.status;
  if (!s) return 'Looking at the site';
  const open = s.open_events;
  const troubles = [];
  if (s.journal.state !== 'ok') troubles.push('the disk takes no more data');
  if (open.critical) troubles.push(plural(open.critical, 'critical event is open', 'critical events are open'));
  if (open.warning) troubles.push(plural(open.warning, 'warning is open', 'warnings are open'));
  if (s.devices.lost) troubles.push(plural(s.devices.lost, 'device is lost', 'devices are lost'));
  if (s.uplinks.count > s.uplinks.ready) troubles.push(plural(s.uplinks.count - s.uplinks.ready, 'uplink is down', 'uplinks are down'));
  const name = s.site || 'The site';
  if (troubles.length === 0) return `${name} is well`;
  const text = troubles.length === 1 ? troubles[0] : `${troubles.slice(0, -1).join(', ')} and ${troubles.at(-1)}`;
  return `${name}: ${text}`;
}

function showStatus() {
  const s = state.status;
  $('site').textContent = s.site || 'Ganglion';
  document.title = `${s.site || 'Ganglion'} · Ganglion`;
  $('sentence').textContent = sentence();
  const kept = s.samples.kept + s.samples.dropped;
  const share = kept ? Math.round((100 * s.samples.dropped) / kept) : 0;
  $('rates').textContent = `${plural(Math.round(s.rates.samples_in), 'sample', 'samples')} a second in, `
    + `${share} % dropped on purpose, ${plural(Math.round(s.rates.samples_derived), 'sample', 'samples')} a second derived, `
    + `${bytes(s.rates.sent_bytes)} a second sent. ${plural(s.devices.known, 'device', 'devices')}, `
    + `${plural(s.signals, 'signal', 'signals')}, up ${age(s.uptime_seconds)}.`;
  const facts = [['Journal', bytes(s.journal.disk_bytes)], ['Written since start', bytes(s.journal.written_bytes)],
    ['Memory', bytes(s.memory.resident_bytes)], ['Revision', s.revision], ['Version', s.version]];
  if (s.history) facts.splice(1, 0, ['History', bytes(s.history.disk_bytes)]);
  if (s.disk) facts.push(['Disk free', `${bytes(s.disk.free_bytes)} of ${bytes(s.disk.total_bytes)}`]);
  $('store').replaceChildren(...facts.flatMap(([name, v]) => [make('dt', name), make('dd', String(v))]));
}

// ---- events ----

function step(s) {
  const lines = Object.entries(s).map(([key, v]) => `${key}: ${typeof v === 'object' ? JSON.stringify(v) : v}`);
  return make('pre', lines.join('\n'));
}

async function showTrace(id, box) {
  box.replaceChildren(make('p', 'Reading', 'quiet'));
  try {
    const event = await call('GET', `events/${id}`);
    const steps = event.trace.length ? event.trace.map(step) : [make('p', 'It carries no trace.', 'quiet')];
    box.replaceChildren(...steps);
  } catch (problem) {
    box.replaceChildren(make('p', problem.message, 'problem'));
  }
}

// Today by the clock, else with the day.
function moment(time) {
  const t = new Date(time);
  return t.toDateString() === new Date().toDateString()
    ? t.toLocaleTimeString(undefined, { hour12: false }) : t.toLocaleString(undefined, { hour12: false });
}

function eventRow(event) {
  const row = make('li');
  row.dataset.id = event.id;
  const head = make('div', undefined, 'event-head');
  const badge = make('span', event.severity, `badge ${event.state === 'open' ? event.severity : 'acknowledged'}`);
  const open = make('button', undefined, 'open');
  open.setAttribute('aria-expanded', 'false');
  const when = moment(event.opened);
  const said = event.state === 'acknowledged' ? `, acknowledged by ${event.acknowledged_by}`
    : event.state === 'cleared' ? `, cleared ${moment(event.cleared)}` : '';
  open.append(make('div', event.title || event.kind, 'what'),
    make('div', `${event.kind}${event.signal ? ` · ${event.signal}` : event.device ? ` · ${event.device}` : ''} · since ${when}${said}`, 'quiet'));
  if (event.message) open.append(make('div', event.message, 'message'));
  const trace = make('div', undefined, 'trace');
  trace.hidden = true;
  open.addEventListener('click', () => {
    trace.hidden = !trace.hidden;
    open.setAttribute('aria-expanded', String(!trace.hidden));
    if (!trace.hidden) showTrace(event.id, trace);
  });
  head.append(badge, open);
  if (event.state === 'open') head.append(acknowledgeButton(event));
  row.append(head, trace);
  return row;
}

function acknowledgeButton(event) {
  const button = make('button', 'Acknowledge', 'acknowledge');
  if (state.role === 'viewer') {
    button.disabled = true;
    button.title = 'Operators and administrators may acknowledge';
  }
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      takeEvent(await call('POST', `events/${event.id}/acknowledge`, {}));
    } catch (problem) {
      button.disabled = false;
      button.textContent = `Acknowledge: ${problem.message}`;
    }
  });
  return button;
}

function showEvents() {
  const rank = { critical: 0, warning: 1, info: 2 };
  const all = [...state.events.values()].sort((a, b) =>
    (a.state === 'open' ? 0 : 1) - (b.state === 'open' ? 0 : 1) || rank[a.severity] - rank[b.severity] || b.id - a.id);
  const opened = new Set([...document.querySelectorAll('#events [aria-expanded="true"]')].map((e) => e.closest('li').dataset.id));
  $('events').replaceChildren(...all.slice(0, 100).map(eventRow));
  $('no-events').hidden = all.length > 0;
  for (const row of $('events').children) if (opened.has(row.dataset.id)) row.querySelector('.open').click();
}

function takeEvent(event) {
  if (event.state === 'cleared') state.events.delete(event.id);
  else state.events.set(event.id, event);
  showEvents();
}

// Earlier ones: a page of what has cleared with each press, behind the one before.
let before = null;

async function readOlder() {
  const button = $('older-events');
  button.disabled = true;
  try {
    const page = await call('GET', `events?state=cleared&limit=50${before ? `&before=${before}` : ''}`);
    $('past-events').append(...page.events.map(eventRow));
    before = page.next;
    button.textContent = 'Older events';
    button.hidden = !before;
    $('no-older').hidden = Boolean(before);
  } catch (problem) {
    button.textContent = `Older events: ${problem.message}`;
  }
  button.disabled = false;
}

$('older-events').addEventListener('click', readOlder);

async function readEvents() {
  const { events } = await call('GET', 'events?state=active&limit=200');
  state.events = new Map(events.map((e) => [e.id, e]));
  showEvents();
}

// ---- signals ----

// "heat/boiler/temperature.low" belongs to "boiler/temperature".
function partOf(name) {
  const dot = name.lastIndexOf('.');
  const part = name.slice(dot + 1);
  const slash = name.indexOf('/');
  if (dot < 0 || slash < 0 || !PARTS.includes(part)) return null;
  return { of: name.slice(slash + 1, dot), part };
}

function signal(name) {
  let s = state.signals.get(name);
  if (!s) {
    s = { name, unit: '', last: null, points: [], parts: {}, tile: null, asked: false };
    state.signals.set(name, s);
  }
  return s;
}

function addPoint(points, t, v) {
  if (typeof v === 'boolean') v = v ? 1 : 0;
  if (typeof v !== 'number') return;
  if (points.length && t < points.at(-1).t) return;
  points.push({ t, v });
  if (points.length > POINTS) points.splice(0, points.length - POINTS);
}

function takeValue(v) {
  const s = signal(v.name);
  s.last = v;
  addPoint(s.points, Date.parse(v.time), v.quality === 'bad' ? NaN : v.value);
  const part = partOf(v.name);
  if (part && state.signals.has(part.of)) {
    signal(part.of).parts[part.part] = s;
    state.dirty.add(part.of);
  }
  state.dirty.add(v.name);
}

function makeTile(s) {
  const li = make('li');
  const name = make('div', undefined, 'signal-name');
  name.append(make('bdi', s.name));
  name.title = s.name;
  const chart = sparkline();
  const foot = make('div', undefined, 'signal-foot');
  s.tile = { li, value: make('div', '', 'value'), chart, score: make('span', '', 'score'), age: make('span') };
  foot.append(s.tile.age, s.tile.score);
  li.append(name, s.tile.value, chart.svg, foot);
  li.dataset.name = s.name;
}

function outside(s) {
  const v = s.last?.value;
  const low = s.parts.low?.last?.value;
  const high = s.parts.high?.last?.value;
  return typeof v === 'number' && ((typeof low === 'number' && v < low) || (typeof high === 'number' && v > high));
}

function drawTile(s) {
  const t = s.tile;
  const v = s.last;
  t.value.textContent = v ? value(v.value) : 'no sample yet';
  if (v && s.unit) t.value.append(' ', make('small', s.unit));
  t.li.className = [v && v.quality !== 'good' ? v.quality : '', outside(s) ? 'outside' : ''].join(' ').trim();
  const score = s.parts.score?.last?.value;
  t.score.textContent = typeof score === 'number' ? `score ${value(score)}` : '';
  draw(t.chart, s.points, s.parts.low?.points ?? [], s.parts.high?.points ?? []);
  drawAge(s);
}

function drawAge(s) {
  const v = s.last;
  if (!v) return;
  const old = age((Date.now() - Date.parse(v.time)) / 1000);
  const quality = v.quality === 'good' ? '' : `, ${v.quality}${v.reason ? `: ${v.reason}` : ''}`;
  s.tile.age.textContent = `${old === 'now' ? old : `${old} ago`}${quality}`;
}

async function readPast(s) {
  s.asked = true;
  try {
    const past = await call('GET', `${signalPath(s.name)}/history?from=${HISTORY}&buckets=${POINTS / 2}`);
    const points = [];
    for (const p of past.samples ?? []) addPoint(points, Date.parse(p.time), p.value);
    for (const b of past.buckets ?? []) { addPoint(points, Date.parse(b.time), b.min); addPoint(points, Date.parse(b.time), b.max); }
    const from = s.points[0]?.t ?? Infinity;
    s.points = [...points.filter((p) => p.t < from), ...s.points].slice(-POINTS);
    const part = partOf(s.name);
    state.dirty.add(part ? part.of : s.name);
  } catch { /* a chart that begins now is still a chart */ }
}

function showSignals() {
  const words = state.filter.toLowerCase();
  const names = [...state.signals.keys()].filter((n) => {
    const part = partOf(n);
    return (words || !(part && state.signals.has(part.of))) && n.toLowerCase().includes(words);
  }).sort();
  const shown = names.slice(0, TILES).map((n) => state.signals.get(n));
  for (const s of shown) {
    if (!s.tile) makeTile(s);
    if (!s.asked) {
      readPast(s);
      for (const part of Object.values(s.parts)) if (!part.asked) readPast(part);
    }
    drawTile(s);
  }
  $('signals').replaceChildren(...shown.map((s) => s.tile.li));
  $('no-signals').hidden = state.signals.size > 0;
  $('signal-count').textContent = names.length > TILES ? `${TILES} of ${names.length.toLocaleString()}: find the others by name` : '';
}

function linkParts() {
  for (const [name, s] of state.signals) {
    const part = partOf(name);
    if (part && state.signals.has(part.of)) state.signals.get(part.of).parts[part.part] = s;
  }
}

async function readSignals() {
  let after = '';
  do {
    const page = await call('GET', `signals?limit=2000${after ? `&after=${encodeURIComponent(after)}` : ''}`);
    for (const from of page.signals) {
      const s = signal(from.name);
      s.unit = from.unit ?? '';
      if (from.last && !s.last) takeValue({ name: from.name, ...from.last });
    }
    after = page.next;
  } while (after);
  linkParts();
  showSignals();
}

// ---- devices and uplinks ----

function deviceRow(d) {
  const row = make('li');
  const since = d.last_seen ? age((Date.now() - Date.parse(d.last_seen)) / 1000) : 'never';
  row.append(make('span', d.title ? `${d.title} (${d.id})` : d.id),
    make('span', d.health.state === 'lost' ? 'lost' : since === 'never' ? 'not heard of' : since, d.health.state === 'lost' ? 'lost' : 'quiet'));
  if (d.health.state === 'lost' && d.health.reason) row.append(make('span', d.health.reason, 'why'));
  return row;
}

function uplinkRow(u) {
  const row = make('li');
  row.append(make('span', u.name), make('span', u.ready ? 'up' : 'down', u.ready ? 'quiet' : 'lost'));
  row.append(make('span', `${u.reason ? `${u.reason}; ` : ''}${bytes(u.backlog_bytes)} behind`
    + `${u.backlog_seconds ? `, the oldest ${age(u.backlog_seconds)}` : ''}; `
    + `${bytes(u.bytes)} sent, ${plural(u.local_samples, 'sample', 'samples')} stayed here`, 'why'));
  return row;
}

async function readParts() {
  const [{ devices }, { uplinks }] = await Promise.all([call('GET', 'devices'), call('GET', 'uplinks')]);
  const real = devices.filter((d) => d.kind === 'device').sort((a, b) => (b.health.state === 'lost') - (a.health.state === 'lost') || a.id.localeCompare(b.id));
  $('devices').replaceChildren(...(real.length ? real.slice(0, 100).map(deviceRow) : [make('li', 'None yet', 'quiet')]));
  $('uplinks').replaceChildren(...(uplinks.length ? uplinks.map(uplinkRow) : [make('li', 'None: everything stays here', 'quiet')]));
}

// ---- the link ----

function showLink(connected) {
  state.connected = connected;
  $('link').textContent = connected ? 'live' : `connection lost, trying again`;
  $('link').classList.toggle('lost', !connected);
  document.body.classList.toggle('lost-link', !connected);
}

const again = (fn) => fn().catch((problem) => { if (problem instanceof Problem && problem.status === 401) logOut(); });

function connect() {
  state.link = live({
    up() {
      showLink(true);
      again(readEvents);
      again(readSignals);
      again(readParts);
    },
    down() { showLink(false); },
    out() { logOut(); },
    values(list) {
      const before = state.signals.size;
      list.forEach(takeValue);
      if (state.signals.size !== before) again(readSignals);
    },
    event({ event }) { takeEvent(event); },
    status(s) { state.status = s; showStatus(); },
    reset() { again(readEvents); },
  });
}

function frame() {
  for (const name of state.dirty) {
    const s = state.signals.get(name);
    if (s?.tile?.li.isConnected) drawTile(s);
  }
  state.dirty.clear();
  setTimeout(() => requestAnimationFrame(frame), 200);
}

// ---- in and out ----

function logOut() {
  state.link?.close();
  state.link = null;
  $('app').hidden = true;
  $('login').hidden = false;
  $('token').focus();
}

function logIn(caller) {
  state.role = caller.role;
  $('who').textContent = `${caller.name}, ${caller.role}`;
  $('login').hidden = true;
  $('app').hidden = false;
  connect();
}

$('login').addEventListener('submit', async (e) => {
  e.preventDefault();
  $('login-problem').textContent = '';
  try {
    const caller = await call('POST', 'session', { token: $('token').value.trim() });
    $('token').value = '';
    logIn(caller);
  } catch (problem) {
    $('login-problem').textContent = problem instanceof Problem ? problem.message : 'The gateway does not answer.';
  }
});

$('logout').addEventListener('click', async () => {
  await call('DELETE', 'session').catch(() => {});
  logOut();
});

$('find').addEventListener('input', () => { state.filter = $('find').value; showSignals(); });

setInterval(() => { if (state.connected) again(readParts); }, 5000);
setInterval(() => { for (const s of state.signals.values()) if (s.tile?.li.isConnected) drawAge(s); }, 1000);
requestAnimationFrame(frame);

async function begin() {
  try {
    logIn(await call('GET', 'session'));
  } catch (problem) {
    if (problem.status === 401) logOut();
    else setTimeout(begin, 2000);
  }
}
begin();
