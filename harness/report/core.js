'use strict';
// Every file is a block, so that its names stay within it; what others need hangs on Report.
const Report = {};
{
const data = JSON.parse(document.getElementById('data').textContent);

// Every text goes in as a text node, so nothing from the data is ever parsed as markup.
Report.h = (spec, ...children) => {
  const [tag, ...classes] = spec.split('.'), node = document.createElement(tag);
  node.classList.add(...classes);
  const attributes = children[0] && children[0].constructor === Object ? children.shift() : {};
  for (const [key, value] of Object.entries(attributes)) {
    if (value == null || value === false) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (value === true) node[key] = true;
    else node.setAttribute(key, value);
  }
  node.append(...children.flat(Infinity).filter(c => c != null && c !== false));
  return node;
};

const SVG = 'http://www.w3.org/2000/svg';
Report.svg = (tag, attributes, ...children) => {
  const node = document.createElementNS(SVG, tag);
  for (const [key, value] of Object.entries(attributes || {})) if (value != null) node.setAttribute(key, value);
  node.append(...children.flat().filter(c => c != null));
  return node;
};

Report.escape = text => String(text).replace(/[&<>"']/g, c => `&#${c.charCodeAt(0)};`);
Report.finite = v => typeof v === 'number' && Number.isFinite(v);
Report.unique = list => [...new Set(list)];
Report.plural = (n, one, many) => `${Report.count(n)} ${n === 1 ? one : many || one + 's'}`;
Report.quantile = (list, q) => {
  const s = [...list].sort((a, b) => a - b);
  const at = (s.length - 1) * q, lo = Math.floor(at);
  return s[lo] + (at - lo) * ((s[lo + 1] ?? s[lo]) - s[lo]);
};

Report.data = data;
Report.planned = data.counts.reduce((sum, c) => sum + c.cells, 0);
Report.flows = Report.unique(data.groups.map(g => g.flow));
Report.targets = Report.unique(data.groups.map(g => g.target));
Report.metricIndex = new Map(data.metrics.map((m, i) => [m.key, i]));
Report.metric = key => data.metrics[Report.metricIndex.get(key)];
Report.stat = (group, key) => Report.metricIndex.has(key) ? group.stats[Report.metricIndex.get(key)] : null;
Report.hasStat = key => data.groups.some(g => Report.stat(g, key));
Report.titled = m => m.unit ? `${m.title} (${m.unit})` : m.title;
Report.direction = m => m.better ? `${m.better === 'higher' ? 'Higher' : 'Lower'} is better.` : null;
Report.cellName = cell => `${data.groups[cell.group].label} on ${data.groups[cell.group].target}, seed ${cell.seed}`;

// A variant is a flow with its settings, whatever the target; it keeps one style on the whole page.
Report.variants = new Map();
const add = (label, flow) => {
  if (!Report.variants.has(label)) Report.variants.set(label, { label, flow, index: Report.variants.size, groups: [] });
  return Report.variants.get(label);
};
data.groups.forEach((g, i) => { g.index = i; add(g.label, g.flow).groups.push(g); });
data.profiles.forEach(p => add(p.label, p.flow));

Report.sections = [];
Report.section = (id, title, lead, has, build) => Report.sections.push({ id, title, lead, has, build });
}
