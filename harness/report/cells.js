{
const { h, data, head } = Report;
const byId = new Map(data.cells.map((c, i) => [c.id, i]));
Report.cellLink = (index, text) => h('a', { href: `#cell-${data.cells[index].id}` }, text);

// Some browsers keep the clipboard from pages opened from disk; selecting the text leaves one key to press.
const copyable = text => {
  const code = h('code', text);
  const button = h('button', { type: 'button', class: 'copy', 'aria-label': `Copy: ${text}`, onclick: async () => {
    getSelection().selectAllChildren(code);
    button.textContent = await Promise.resolve(navigator.clipboard && navigator.clipboard.writeText(text).then(() => 'copied')).catch(() => null) || 'press Ctrl+C';
  } }, 'copy');
  return [code, ' ', button];
};

const runs = (group, cells) => {
  const detailed = cells.some(c => c.detail), placed = cells.some(c => c.environment);
  return h('table.cell-list', head(['seed', 'status', detailed ? 'detail' : null, placed ? 'environment' : null, 'run it again'].filter(Boolean)),
    h('tbody', cells.map(c => h('tr', { id: `cell-${c.id}`, tabindex: '-1' },
      h('th', { scope: 'row' }, h('a', { href: `#cell-${c.id}`, title: `Link to cell ${c.id}` }, String(c.seed))),
      h('td', Report.badge(c.status)),
      detailed ? h('td.detail', c.detail || '') : null,
      placed ? h('td', c.environment || Report.none) : null,
      h('td', copyable(c.replay))))));
};

const values = (group, cells) => {
  const kept = data.metrics.map((m, i) => [m, i]).filter(([, i]) => cells.some(c => c.values[i] != null) || group.stats[i]);
  if (!kept.length) return h('p.note', 'No metric was recorded for these cells.');
  return h('table.cell-values',
    head(['metric', 'average', 'cells', ...cells.map(c => [`seed ${c.seed}`, c.status === 'ok' ? null : h('small.bad', ` ${c.status}`)])]),
    h('tbody', kept.map(([m, i]) => h('tr', h('th', { scope: 'row', 'data-tip': m.about || null }, Report.titled(m)),
      h('td', Report.interval(group.stats[i])), h('td', group.stats[i] ? Report.survivors(group.stats[i].n, group.planned) : `0 of ${group.planned}`),
      cells.map(c => h('td', { class: c.status === 'ok' ? null : 'void' }, Report.num(c.values[i], 4)))))));
};

Report.cellPanel = group => {
  const cells = group.cells.map(i => data.cells[i]);
  return h('div.cells', { role: 'region', 'aria-label': `Cells of ${group.label} on ${group.target}`, onclick: e => e.stopPropagation() },
    h('p', h('strong', `${group.label} on ${group.target}`), `: ${Report.statusText(group.statuses)}. `,
      cells.some(c => c.status !== 'ok' && c.values.some(v => v != null)) ? 'Struck-through values belong to cells that did not end well; averages leave them out.' : ''),
    h('div.scroll', runs(group, cells)), h('div.scroll', values(group, cells)));
};

// A hash may name a cell or a group inside the table, which has to be opened before there is anything to scroll to.
Report.followHash = () => {
  const [, kind, id] = /^#(cell|group)-(.+)$/.exec(location.hash) || [];
  if (!kind) return;
  const cell = kind === 'cell' ? byId.get(id) : null;
  const group = kind === 'cell' ? cell == null ? null : data.cells[cell].group : Number(id);
  if (group == null || !data.groups[group] || !Report.openGroup) return;
  Report.openGroup(group).then(() => {
    document.querySelectorAll('.marked').forEach(n => n.classList.remove('marked'));
    const node = document.getElementById(`${kind}-${id}`);
    if (!node) return;
    node.classList.add('marked');
    node.scrollIntoView({ block: kind === 'cell' ? 'center' : 'start' });
    if (kind === 'cell') node.focus({ preventScroll: true });
  });
};
}
