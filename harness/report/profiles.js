{
const { data, plural } = Report;

Report.section('profiles', 'Performance profiles', 'For each flow with its settings, the share of problems (a target with a seed) on which the gap is at most τ; higher and further left is better. A failed cell counts as a problem never solved, so a line may end below 1.',
  () => data.profiles.some(p => p.tau.length), root => {
  const list = data.profiles.filter(p => p.tau.length), selected = Report.firstFew(list.map(p => p.label));
  const option = () => {
    const shown = list.filter(p => selected.has(p.label)), ends = shown.flatMap(p => [p.tau[0], p.tau[p.tau.length - 1]]).filter(t => t > 0);
    // Beyond the last rise of every line there is nothing to see.
    const moving = shown.flatMap(p => p.tau.filter((t, i) => t > 0 && p.share[i] > (i ? p.share[i - 1] : 0)));
    const last = moving.length ? Math.min(Math.max(...moving) * 1.8, Math.max(...ends)) : undefined, first = moving.length ? Math.max(Math.min(...moving) / 1.8, Math.min(...ends)) : undefined;
    return Report.plot({ x: { name: 'τ (nats)', ...Report.logAxis([first, last].filter(Report.finite)) }, y: { min: 0, max: 1, scale: false },
      series: shown.map(p => {
        const style = Report.style(p.label);
        return { name: p.label, type: 'line', step: 'end', clip: true, data: p.tau.map((t, i) => [t, p.share[i]]).filter(d => d[0] > 0), ...Report.stroke(style), symbol: 'circle', symbolSize: 4,
          tooltip: { formatter: e => Report.tipNode(p.label, `gap at most ${Report.num(e.value[0])} nats`, `on ${Report.survivors(Math.round(e.value[1] * p.problems), p.problems)} problems`) } };
      }) });
  };
  const counts = Report.unique(list.map(p => p.problems));
  const { left, right } = Report.figure(root, 'Share of problems with gap ≤ τ');
  const chart = Report.chart(left, { option, label: () => `Performance profiles of ${selected.size} flows with settings` });
  Report.legend(right, { selected, onchange: () => chart.redraw(), entries: () => list.map(p => ({ key: p.label, label: p.label, note: counts.length > 1 ? plural(p.problems, 'problem') : null })) });
  const note = Report.fewNote(list.length);
  root.append(Report.h('p.note', [counts.length > 1 ? 'The lines rest on different numbers of problems and compare only roughly.' : `Each line rests on ${plural(counts[0], 'problem')}.`, note].filter(Boolean).join(' ')));
});
}
