{
const { h, followHash } = Report;
const place = document.getElementById('report');
const shown = Report.sections.filter(s => s.has());
const main = h('main', shown.map(s => h('section', { id: s.id, 'aria-labelledby': `${s.id}-title` }, h('h2', { id: `${s.id}-title` }, s.title), h('p.lead', s.lead))));
place.append(Report.header(), ...(shown.length > 1 ? [h('nav', { 'aria-label': 'Sections' }, h('ul', shown.map(s => h('li', h('a', { href: `#${s.id}` }, s.title)))))] : []), main);
shown.forEach((s, i) => s.build(main.children[i]));
Report.tips();
window.addEventListener('hashchange', followHash);
followHash();
}
