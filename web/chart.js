// SPDX-License-Identifier: Apache-2.0
// A small chart: one signal's line on the band it is expected in. SVG, drawn anew when it has changed.

const WIDTH = 240;
const HEIGHT = 44;
const AIR = 4;

export function element(name, attributes = {}) {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) e.setAttribute(key, value);
  return e;
}

export function sparkline() {
  const svg = element('svg', { class: 'spark', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  const band = element('path', { class: 'band', 'vector-effect': 'non-scaling-stroke' });
  const line = element('path', { class: 'line', 'vector-effect': 'non-scaling-stroke' });
  const end = element('rect', { class: 'end', width: 4, height: 4 });
  svg.append(band, line, end);
  return { svg, band, line, end };
}

// A band's edge is told when it moves: it holds from there on, up to the right end.
function edge(points, from, to) {
  const known = points.filter((p) => Number.isFinite(p.v) && p.t <= to);
  const before = known.filter((p) => p.t <= from).at(-1);
  const steps = before ? [{ t: from, v: before.v }] : [];
  for (const p of known.filter((k) => k.t > from)) {
    if (steps.length) steps.push({ t: p.t, v: steps.at(-1).v });
    steps.push(p);
  }
  if (steps.length) steps.push({ t: to, v: steps.at(-1).v });
  return steps;
}

// points: [{t, v}] by time; low, high: the band's edges, likewise, may be empty.
export function draw(chart, points, low, high) {
  const shown = points.filter((p) => Number.isFinite(p.v));
  if (shown.length === 0) {
    chart.line.setAttribute('d', '');
    chart.band.setAttribute('d', '');
    chart.end.setAttribute('visibility', 'hidden');
    return;
  }
  const from = shown[0].t;
  const to = Math.max(shown.at(-1).t, from + 1);
  const lower = edge(low, from, to);
  const upper = edge(high, from, to);
  const values = [...shown, ...lower, ...upper].map((p) => p.v);
  let least = Math.min(...values);
  let most = Math.max(...values);
  if (least === most) { least -= 1; most += 1; }
  const x = (t) => ((Math.max(t, from) - from) / (to - from)) * (WIDTH - AIR);
  const y = (v) => HEIGHT - AIR - ((v - least) / (most - least)) * (HEIGHT - 2 * AIR);
  const place = (p) => `${x(p.t).toFixed(1)} ${y(p.v).toFixed(1)}`;

  // A gap of more than ten usual distances breaks the line: what was not measured is not drawn.
  const gaps = shown.slice(1).map((p, i) => p.t - shown[i].t).sort((a, b) => a - b);
  const usual = Math.max(gaps[gaps.length >> 1] ?? 0, 1000);
  let path = '';
  shown.forEach((p, i) => {
    const gap = i === 0 || p.t - shown[i - 1].t > 10 * usual;
    path += `${gap ? 'M' : 'L'}${place(p)}`;
  });
  chart.line.setAttribute('d', path);
  const last = shown.at(-1);
  chart.end.setAttribute('x', (x(last.t) - 2).toFixed(1));
  chart.end.setAttribute('y', (y(last.v) - 2).toFixed(1));
  chart.end.setAttribute('visibility', 'visible');

  if (upper.length > 1 && lower.length > 1) {
    chart.band.setAttribute('d', `M${upper.map(place).join('L')}L${lower.reverse().map(place).join('L')}Z`);
  } else {
    chart.band.setAttribute('d', '');
  }
}
