{
const { h, finite } = Report;
const charts = new Set();

const near = new IntersectionObserver(entries => entries.forEach(e => { if (e.isIntersecting) e.target.draw(); }), { rootMargin: '400px' });
const resized = new ResizeObserver(entries => entries.forEach(e => Report.printing || e.target.chart.resize()));

// A chart is made when it comes near the window, so that a page with thousands of cells opens at once.
Report.chart = (parent, { label, option, onclick, height }) => {
  const node = h('div.chart', { role: 'img', tabindex: '-1', style: height ? `height:${height}px` : null });
  parent.append(node);
  const set = () => {
    node.setAttribute('aria-label', label());
    node.chart.setOption(option(), { notMerge: true });
  };
  node.draw = () => {
    if (node.chart) return;
    near.unobserve(node);
    node.chart = echarts.init(node, null, { renderer: 'svg' });
    if (onclick) node.chart.on('click', onclick);
    resized.observe(node);
    set();
  };
  node.redraw = () => { if (node.chart) set(); };
  near.observe(node);
  charts.add(node);
  return node;
};
const living = act => charts.forEach(c => {
  if (c.isConnected) { act(c); return; }
  charts.delete(c);
  if (c.chart) c.chart.dispose();
});
Report.drawAll = () => living(c => c.draw());
// Paper is narrower than the window, and charts are not laid out again for it: with a view box they shrink.
Report.fitPaper = () => living(c => {
  const svg = c.querySelector('svg');
  if (Report.printing) svg.setAttribute('viewBox', `0 0 ${c.clientWidth} ${c.clientHeight}`);
  else svg.removeAttribute('viewBox');
});
Report.onTheme(() => living(c => c.redraw()));

// Wide windows have room for the legend beside the chart.
Report.figure = (root, title) => {
  const left = h('div', title ? h('p.chart-title', title) : null), right = h('div');
  root.append(h('div.figure', left, right));
  return { left, right };
};
Report.panel = (grid, title, chart) => {
  const node = h('div.panel', h('p.chart-title', title));
  grid.append(node);
  return Report.chart(node, chart);
};
Report.stroke = s => ({ showAllSymbol: true, itemStyle: { color: s.colour }, lineStyle: { color: s.colour, width: 2, type: s.dash } });

const axis = (a, ink) => ({
  type: 'value', scale: true, nameLocation: 'middle', nameGap: 26, nameTextStyle: { color: ink.text, fontSize: 12 },
  axisLine: { show: true, onZero: false, lineStyle: { color: ink.faint } }, 
  splitLine: { show: true, lineStyle: { color: ink.line, width: 1 } },
  ...a, axisTick: { show: true, lineStyle: { color: ink.faint }, ...a.ticks }, axisLabel: { color: ink.faint, fontSize: 11, hideOverlap: true, formatter: Report.tick, ...a.ticks, ...a.axisLabel },
});

Report.plot = ({ x, y, series }) => {
  const ink = Report.ink();
  return {
    animation: false, textStyle: { fontFamily: 'system-ui, sans-serif' }, backgroundColor: 'transparent',
    grid: { left: 4, right: 18, top: 14, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'all' },
    tooltip: { trigger: 'item', confine: true, backgroundColor: ink.ground, borderColor: ink.faint, textStyle: { color: ink.text, fontSize: 12 } },
    xAxis: axis({ splitLine: { show: false }, ...x }, ink), yAxis: axis({ ...y }, ink), series,
  };
};

Report.tipNode = (title, ...lines) => h('div.chart-tip', h('strong', title), lines.flat().filter(Boolean).map(l => h('div', l)));

const polygon = (points, api, style) => ({
  type: 'polygon', silent: true, z2: -1,
  shape: { points: [...points.map(p => api.coord([p.x, p.low])), ...points.map(p => api.coord([p.x, p.high])).reverse()] }, style,
});
// Stacked areas, the usual way to draw a band, fail on a logarithmic axis.
Report.band = (name, points, colour) => ({
  name, type: 'custom', silent: true, clip: true, z: 1, encode: { x: 0, y: [1, 2] }, data: points.map(p => [p.x, p.low, p.high]),
  renderItem: (params, api) => params.dataIndex === 0 ? polygon(points, api, { fill: colour, opacity: 0.16 }) : null,
});

Report.bars = (name, points, colour) => ({
  name, type: 'custom', silent: true, clip: true, z: 2, encode: { x: 0, y: [1, 2] }, data: points.map(p => [p.x, p.low, p.high]),
  renderItem: (params, api) => {
    const [x, low] = api.coord([api.value(0), api.value(1)]), high = api.coord([api.value(0), api.value(2)])[1];
    return { type: 'path', shape: { pathData: `M${x} ${low}V${high}M${x - 4} ${low}h8M${x - 4} ${high}h8` }, style: { stroke: colour, lineWidth: 1.3, fill: 'none' } };
  },
});

// Points with intervals, joined where each horizontal position occurs once; a line through two points at one place would mean nothing.
Report.pointSeries = ({ name, points, style, log, tooltip }) => {
  const sorted = [...points].sort((a, b) => a.x - b.x);
  const joined = new Set(sorted.map(p => p.x)).size === sorted.length;
  const spans = sorted.filter(p => finite(p.low) && finite(p.high) && (!log || p.low > 0));
  return [Report.bars(name, spans, style.colour), {
    name, type: joined ? 'line' : 'scatter', z: 3, symbol: style.symbol, symbolSize: 9, data: sorted.map(p => ({
      value: [p.x, p.mid], point: p,
      itemStyle: p.hollow ? { color: Report.ink().ground, borderColor: style.colour, borderWidth: 2 } : null,
    })),
    ...Report.stroke(style), tooltip: { formatter: e => tooltip(e.data.point) },
  }];
};

// Points on the very edge would hide the axis, and their intervals with it.
Report.roomy = axis => axis.min ? { ...axis, min: axis.min / 1.15, max: axis.max * 1.15 } : axis;
// Left to itself a logarithmic axis spans and labels whole decades only, which on a narrow range wastes most of the picture.
Report.logAxis = (values, base = 10) => {
  const list = values.filter(v => v > 0);
  if (!list.length) return { type: 'log', logBase: base };
  const low = Math.min(...list), high = Math.max(...list), decades = Math.log10(high / low), all = [];
  const steps = base === 2 ? [1] : decades > 3 ? [1] : [1, 2, 5];
  for (let k = Math.floor(Math.log(low) / Math.log(base)) - 1; base ** k <= high * base; k++) steps.forEach(s => all.push(Number((s * base ** k).toPrecision(12))));
  const from = all.filter(v => v <= low * 1.0001).pop(), to = all.find(v => v >= high * 0.9999 && v > from);
  const inside = all.filter(v => v >= from && v <= to), every = Math.ceil(inside.length / 9);
  return { type: 'log', logBase: base, min: from, max: to, ticks: { customValues: inside.filter((v, i) => i % every === 0) } };
};
}
