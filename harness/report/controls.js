{
const { h, svg, finite } = Report;

Report.head = titles => h('thead', h('tr', titles.map(t => h('th', { scope: 'col' }, t))));
Report.scroller = (label, ...children) => h('div.scroll.tall', { tabindex: '0', role: 'region', 'aria-label': label }, children);
Report.hiddenText = text => h('span.off-screen', text);

let ids = 0;
Report.select = (title, options, value, onchange) => {
  const id = `control-${ids++}`;
  const node = h('select', { id, onchange: e => onchange(e.target.value) },
    options.map(([v, text]) => h('option', { value: v, selected: String(v) === String(value) }, text)));
  return h('div.control', h('label', { for: id }, title), node);
};

Report.targetSelect = (targets, onchange) => targets.length > 1 ? Report.select('target', targets.map(t => [t, t]), targets[0], onchange) : null;

Report.radios = (title, options, value, onchange) => {
  const name = `control-${ids++}`;
  return h('fieldset.control.radios', h('legend', title),
    options.map(([v, text]) => h('label', h('input', { type: 'radio', name, value: v, checked: v === value, onchange: () => onchange(v) }), text)));
};

Report.checkbox = (text, value, onchange) => {
  const input = h('input', { type: 'checkbox', checked: value, onchange: e => onchange(e.target.checked) });
  return h('label.check', input, text);
};

Report.swatch = ({ colour, dash, symbol }, kind = 'line') => {
  if (kind === 'box') return h('span.box', { style: `background:${colour}` });
  const shape = { rect: 'M10 2h8v8h-8z', triangle: 'M14 1.5l5 9h-10z', diamond: 'M14 1l5 5-5 5-5-5z' }[symbol] || 'M14 2a4 4 0 1 0 .01 0z';
  return svg('svg', { width: 28, height: 12, 'aria-hidden': 'true', class: 'swatch' },
    svg('path', { d: 'M0 6H28', stroke: colour, 'stroke-width': 2.2, 'stroke-dasharray': Array.isArray(dash) ? dash.join(' ') : null }),
    kind === 'line' ? svg('path', { d: shape, fill: colour }) : null);
};

// Legends are HTML rather than part of the chart: labels are long, must wrap on a telephone, and should be reachable by keyboard.
Report.legend = (parent, { entries, selected, style = Report.style, kind, onchange }) => {
  const box = h('div.legend', { role: 'group', 'aria-label': 'Lines shown' });
  parent.append(box);
  let buttons = [], list = [];
  const refresh = () => {
    buttons.forEach((b, i) => b.setAttribute('aria-pressed', String(selected.has(list[i].key))));
    onchange();
  };
  const draw = () => {
    list = entries();
    buttons = list.map(e => h('button', { type: 'button', 'aria-pressed': String(selected.has(e.key)), onclick: () => { selected.has(e.key) ? selected.delete(e.key) : selected.add(e.key); refresh(); } },
      Report.swatch(style(e.key), kind), h('span', e.label, e.note ? h('small', { class: e.bad ? 'bad' : null }, ` ${e.note}`) : null)));
    const all = list.length > 2 ? h('span.legend-all',
      h('button', { type: 'button', onclick: () => { list.forEach(e => selected.add(e.key)); refresh(); } }, 'show all'),
      h('button', { type: 'button', onclick: () => { list.forEach(e => selected.delete(e.key)); refresh(); } }, 'show none')) : null;
    box.replaceChildren(...(all ? [all] : []), h('div.legend-entries', buttons));
  };
  draw();
  Report.onTheme(draw);
  return draw;
};

// More lines than this cannot be told apart.
Report.FIRST = 12;
Report.firstFew = keys => new Set([...keys].sort((a, b) => Report.rank(a) - Report.rank(b)).slice(0, Report.FIRST));
Report.fewNote = total => total > Report.FIRST ? `At first ${Report.FIRST} of ${Report.count(total)} lines are shown, taken from the flows in turn; choose others in the legend.` : '';

const tip = h('div', { id: 'tip', role: 'tooltip', hidden: true });
const show = e => {
  const owner = e.target.closest && e.target.closest('[data-tip]');
  if (!owner) { tip.hidden = true; return; }
  tip.textContent = owner.dataset.tip;
  tip.hidden = false;
  const r = owner.getBoundingClientRect(), t = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(r.left, document.documentElement.clientWidth - t.width - 4))}px`;
  tip.style.top = `${r.top - t.height - 6 > 0 ? r.top - t.height - 6 : r.bottom + 6}px`;
};
Report.tips = () => {
  document.body.append(tip);
  for (const event of ['mouseover', 'focusin']) document.addEventListener(event, show);
  document.addEventListener('scroll', () => { tip.hidden = true; }, true);
  document.addEventListener('keydown', e => { if (e.key === 'Escape') tip.hidden = true; });
};

// An interval drawn on a shared scale, for rows of a table; an arrow says that it goes on beyond the picture.
Report.whisker = ({ low, mid, high, min, max, colour, zero, bar, width = 220 }) => {
  const x = v => 6 + (width - 12) * (Math.min(Math.max(v, min), max) - min) / (max - min);
  const has = finite(low) && finite(high);
  return svg('svg', { width, height: 20, viewBox: `0 0 ${width} 20`, 'aria-hidden': 'true', class: 'whisker' },
    zero ? svg('path', { d: `M${x(0)} 0V20`, class: 'zero' }) : null,
    bar ? svg('rect', { x: x(0), y: 5, width: Math.max(1, x(mid) - x(0)), height: 10, fill: colour, opacity: 0.45 }) : null,
    has ? svg('path', { d: `M${x(low)} 10H${x(high)}M${x(low)} 6v8M${x(high)} 6v8`, stroke: colour, 'stroke-width': 2, fill: 'none' }) : null,
    Math.min(low ?? mid, mid) < min ? svg('path', { d: 'M0 10l8-5v10z', fill: colour }) : null,
    Math.max(high ?? mid, mid) > max ? svg('path', { d: `M${width} 10l-8-5v10z`, fill: colour }) : null,
    finite(mid) && mid >= min && mid <= max ? svg('circle', { cx: x(mid), cy: 10, r: 4, fill: colour }) : null);
};
}
