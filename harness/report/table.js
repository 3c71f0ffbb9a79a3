{
const { h, data, direction, flows, plural, survivors, titled, unique } = Report;
const PAGE = 25, WIDEST = 280;

const averages = (group, i) => {
  const s = group.stats[i];
  if (!s) return h('span.faint', Report.none);
  const note = [`${survivors(s.n, group.planned)} cells`, s.n < 2 ? 'no interval from one cell' : null].filter(Boolean).join('; ');
  return h('span', { title: note }, Report.interval(s), h('small', { class: s.n < group.planned ? 'less' : 'faint' }, ` ${s.n}/${group.planned}`));
};

// A native select works with the keyboard, on a telephone and in either theme.
const choose = values => (cell, onRendered, success) => {
  const node = h('select', { 'aria-label': 'Filter' }, h('option', { value: '' }, 'all'), values.map(v => h('option', { value: v }, v)));
  node.addEventListener('change', () => success(node.value));
  node.addEventListener('click', e => e.stopPropagation());
  return node;
};
const filtered = values => values.length > 1 ? { headerFilter: choose(values), headerFilterFunc: '=', headerFilterEmptyCheck: v => !v } : {};

// Numbers in settings sort as numbers: 2 before 16.
const natural = (a, b) => {
  const x = Number(a), y = Number(b);
  if (a != null && b != null && a !== '' && b !== '' && !Number.isNaN(x) && !Number.isNaN(y)) return x - y;
  return String(a ?? '') < String(b ?? '') ? -1 : String(a ?? '') > String(b ?? '') ? 1 : 0;
};
const text = v => Report.escape(v);
// Pages differ in their widest text, so widths come from all groups rather than from the rows in view.
const pen = document.createElement('canvas').getContext('2d');
const width = (strings, extra, bold) => {
  const root = getComputedStyle(document.documentElement), body = getComputedStyle(document.body);
  pen.font = `${bold ? 700 : 400} ${parseFloat(root.fontSize) * 0.92}px ${body.fontFamily}`;
  const longest = strings.reduce((n, s) => Math.max(n, s.length), 0);
  return Math.ceil(Math.max(...unique(strings).filter(s => s.length > longest - 3).map(s => pen.measureText(s).width))) + extra;
};

const columns = () => {
  const tally = g => g.ok < g.planned ? g.ok ? 'less' : 'none' : 'full';
  const flowNames = flows, targets = Report.targets;
  const fixed = [
    { title: '', field: 'open', width: 38, headerSort: false, formatter: cell => {
      const g = cell.getData().group;
      return h('button.expander', { type: 'button', 'aria-label': `Cells of ${g.label} on ${g.target}` });
    } },
    { title: 'flow', field: 'flow', width: Math.max(width(flowNames, 42), width(['flow'], 54, true)), formatter: cell => h('span', h('span.box', { style: `background:${Report.flowColour(cell.getValue())}`, hidden: flows.length < 2 }), cell.getValue()), ...filtered(flowNames) },
    { title: 'target', field: 'target', width: Math.max(width(targets, 42), width(['target'], 54, true)), formatter: cell => h('span', cell.getValue()), ...filtered(targets) },
    ...data.varied.map((v, i) => {
      const values = unique(data.groups.map(g => g.settings[i]).filter(s => s != null)).sort(natural);
      return { title: text(v.title), field: `s${i}`, sorter: natural, width: Math.min(WIDEST, Math.max(width([v.title], 54, true), width([...values, ''], 48))), headerTooltip: text(v.key),
        formatter: cell => cell.getValue() == null ? h('span.faint', Report.none) : h('span', { title: cell.getValue() }, cell.getValue()), ...filtered(values) };
    }),
    { title: 'ok / planned', field: 'share', width: width(['ok / planned'], 54, true), hozAlign: 'right', sorter: 'number', headerTooltip: 'Cells that ended well, of those planned',
      formatter: cell => { const g = cell.getData().group; return h('span', { class: `tally ${tally(g)}`, title: Report.statusText(g.statuses) }, survivors(g.ok, g.planned)); } },
  ];
  const metrics = data.metrics.map((m, i) => ({
    title: `${text(titled(m))}${m.better === 'higher' ? ' \u2191' : m.better === 'lower' ? ' \u2193' : ''}`, field: `m${i}`, visible: m.shown, hozAlign: 'right', headerHozAlign: 'right',
    sorter: 'number', sorterParams: { alignEmptyValues: 'bottom' }, headerSortStartingDir: m.better === 'higher' ? 'desc' : 'asc',
    width: Math.max(width([`${titled(m)} ↓`], 54, true), width(data.groups.map(g => `${Report.interval(g.stats[i])} ${g.ok}/${g.planned}`), 20)),
    headerTooltip: text([m.about, direction(m)].filter(Boolean).join(' ')), formatter: cell => averages(cell.getData().group, i),
  }));
  return [...fixed, ...metrics];
};

const expanded = new Set();
const rows = () => data.groups.map((g, i) => {
  const row = { id: i, group: g, flow: g.flow, target: g.target, share: g.ok / g.planned, haystack: [g.label, g.target, ...Object.keys(g.statuses), ...g.cells.map(c => data.cells[c].id)].join(' ').toLowerCase() };
  g.settings.forEach((s, j) => { row[`s${j}`] = s; });
  g.stats.forEach((s, j) => { row[`m${j}`] = s ? s.mid : null; });
  return row;
});

const chooser = table => {
  const metrics = data.metrics.map((m, i) => h('li', Report.checkbox(titled(m), m.shown, on => table[on ? 'showColumn' : 'hideColumn'](`m${i}`)),
    h('small', [m.about, direction(m)].filter(Boolean).join(' '))));
  return h('details.chooser', h('summary', 'Metrics shown'), h('ul', metrics));
};

// Paper cannot scroll: print a plain table of what the filters leave, with the columns shown.
const printed = (table, node) => {
  const shown = table.getColumns().filter(c => c.isVisible() && c.getField() !== 'open');
  const metric = f => /^m(\d+)$/.exec(f), setting = f => /^s(\d+)$/.exec(f);
  const show = (g, f) => f === 'share' ? survivors(g.ok, g.planned) : metric(f) ? averages(g, +metric(f)[1]) : setting(f) ? g.settings[+setting(f)[1]] ?? Report.none : g[f];
  node.replaceChildren(h('table', h('thead', h('tr', shown.map(c => h('th', c.getElement().querySelector('.tabulator-col-title').textContent)))),
    h('tbody', table.getRows('active').map(r => h('tr', shown.map(c => h('td', show(r.getData().group, c.getField()))))))));
};

Report.section('results', 'Results', ['Each row is one group: the interquartile mean over its cells that ended well, with its interval in brackets and the number of cells behind it. ',
  'Rows stand in the order of the plan, not of merit; ↑ and ↓ in a heading say which way is better. Open a row for its cells.'], () => data.groups.length, root => {
  const place = h('div.results'), paper = h('div.paper');
  const tally = h('span.faint', { role: 'status' });
  let words = [];
  const search = h('input', { type: 'search', placeholder: 'Search flow, setting, target, status, cell', 'aria-label': 'Search the groups', oninput: e => {
    words = e.target.value.toLowerCase().split(/\s+/).filter(Boolean);
    table.setFilter(row => words.every(w => row.haystack.includes(w)));
  } });
  const bar = h('div.controls', search, tally);
  root.append(bar, place, paper);

  const paint = row => {
    const element = row.getElement(), g = row.getData().group, isOpen = expanded.has(g.index);
    element.id = `group-${g.index}`;
    element.querySelectorAll('.cells').forEach(n => n.remove());
    if (isOpen) element.append(Report.cellPanel(g));
    const button = element.querySelector('.expander');
    if (button) { button.setAttribute('aria-expanded', String(isOpen)); button.textContent = isOpen ? '\u25be' : '\u25b8'; }
  };
  const table = new Tabulator(place, {
    data: rows(), columns: columns(), index: 'id', layout: 'fitData', renderVertical: 'basic', rowFormatter: paint, movableColumns: false, columnDefaults: { resizable: 'header' },
    pagination: data.groups.length > PAGE, paginationSize: PAGE, paginationSizeSelector: [PAGE, 100, 500], paginationCounter: 'rows', headerSortClickElement: 'header', placeholder: 'No group matches.',
  });
  const built = new Promise(done => table.on('tableBuilt', done));
  table.on('rowClick', (e, row) => {
    if (String(getSelection()) && !e.target.closest('button')) return;
    const i = row.getData().group.index;
    expanded.has(i) ? expanded.delete(i) : expanded.add(i);
    paint(row);
  });
  table.on('dataFiltered', (filters, list) => { tally.textContent = list.length === data.groups.length ? plural(list.length, 'group') : `${Report.count(list.length)} of ${plural(data.groups.length, 'group')}`; });
  bar.append(chooser(table));
  new ResizeObserver(() => place.style.setProperty('--room', `${place.clientWidth}px`)).observe(place);
  window.addEventListener('beforeprint', () => printed(table, paper));

  Report.openGroup = async index => {
    await built;
    if (!table.getRows('active').some(r => r.getData().group.index === index)) {
      search.value = '';
      table.clearFilter(true);
    }
    if (table.options.pagination) await table.setPageToRow(index);
    expanded.add(index);
    paint(table.getRow(index));
  };
  Report.onTheme(() => built.then(() => table.getRows('visible').forEach(r => r.reformat())));
});
}
