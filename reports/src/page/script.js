// What the pages do with a script: sort tables, show tooltips, zoom the headline plot. Without it they only lose that.
(() => {
  'use strict';
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // Tables: a click on a column's head sorts by it, another one turns the order round.
  const value = (row, column) => {
    const cell = row.cells[column];
    const number = cell.dataset.v;
    return number === undefined ? cell.textContent.trim().toLowerCase() : number === '' ? NaN : Number(number);
  };
  const compare = (a, b) => {
    const none = (it) => typeof it === 'number' && Number.isNaN(it);
    // What is absent comes last, whichever way round.
    if (none(a) || none(b)) return none(a) - none(b);
    return typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === 'number' ? -1 : 1;
  };
  const sort = (table, column, head) => {
    const descending = head.getAttribute('aria-sort') === 'ascending';
    all('thead th', table).forEach((it) => it.removeAttribute('aria-sort'));
    head.setAttribute('aria-sort', descending ? 'descending' : 'ascending');
    const rows = all('tbody tr', table).map((row, place) => ({ row, place, value: value(row, column) }));
    const absent = (it) => typeof it.value === 'number' && Number.isNaN(it.value);
    rows.sort((a, b) => {
      const order = compare(a.value, b.value);
      return (descending && !absent(a) && !absent(b) ? -order : order) || a.place - b.place;
    });
    table.tBodies[0].append(...rows.map((it) => it.row));
  };
  for (const table of all('table.sort')) {
    all('thead th', table).forEach((head, column) => {
      const button = document.createElement('button');
      button.type = 'button';
      button.append(...head.childNodes);
      button.addEventListener('click', () => sort(table, column, head));
      head.append(button);
    });
  }

  // Tooltips: the words of the mark that is pointed at, and the rows of the same strategy.
  const tip = document.createElement('div');
  tip.className = 'tip';
  tip.setAttribute('role', 'tooltip');
  tip.hidden = true;
  document.body.append(tip);
  const rows = new Map();
  for (const head of all('tbody th[scope=row][data-name]')) {
    const name = head.dataset.name;
    rows.set(name, [...(rows.get(name) ?? []), head.parentElement]);
  }
  const point = (name) => {
    all('tr.pointed').forEach((row) => row.classList.remove('pointed'));
    (rows.get(name) ?? []).forEach((row) => row.classList.add('pointed'));
  };
  for (const mark of all('.plot [data-name]')) {
    const title = mark.querySelector('title');
    if (!title) continue;
    // The browser's own tooltip would come on top of this one.
    const words = title.textContent;
    title.remove();
    mark.setAttribute('aria-label', words);
    const show = (event) => {
      tip.textContent = words;
      tip.hidden = false;
      const { clientWidth: width, clientHeight: height } = document.documentElement;
      const box = tip.getBoundingClientRect();
      const left = Math.min(event.clientX + 14, width - box.width - 8);
      const top = event.clientY + 18 + box.height > height ? event.clientY - box.height - 12 : event.clientY + 18;
      tip.style.left = `${Math.max(8, left)}px`;
      tip.style.top = `${Math.max(8, top)}px`;
      point(mark.dataset.name);
    };
    mark.addEventListener('pointerenter', show);
    mark.addEventListener('pointermove', show);
    mark.addEventListener('pointerleave', () => {
      tip.hidden = true;
      point(null);
    });
  }

  // Zoom: buttons, the wheel with Ctrl held, and dragging what is larger than its frame.
  for (const plot of all('.plot.zoom')) {
    const svg = plot.querySelector('svg');
    const whole = svg.viewBox.baseVal;
    const full = { x: whole.x, y: whole.y, width: whole.width, height: whole.height };
    let view = { ...full };
    const draw = () => {
      view.x = Math.min(Math.max(view.x, full.x), full.x + full.width - view.width);
      view.y = Math.min(Math.max(view.y, full.y), full.y + full.height - view.height);
      svg.setAttribute('viewBox', `${view.x} ${view.y} ${view.width} ${view.height}`);
      plot.classList.toggle('zoomed', view.width < full.width);
    };
    const zoom = (by, x = 0.5, y = 0.5) => {
      const width = Math.min(full.width, Math.max(full.width / 12, view.width / by));
      const height = (width * full.height) / full.width;
      view = { x: view.x + (view.width - width) * x, y: view.y + (view.height - height) * y, width, height };
      draw();
    };
    const bar = document.createElement('div');
    bar.className = 'zoombar';
    const button = (text, label, act) => {
      const it = document.createElement('button');
      it.type = 'button';
      it.textContent = text;
      it.title = label;
      it.setAttribute('aria-label', label);
      it.addEventListener('click', act);
      bar.append(it);
    };
    button('+', 'Zoom in', () => zoom(1.5));
    button('−', 'Zoom out', () => zoom(1 / 1.5));
    button('⟲', 'Show all', () => {
      view = { ...full };
      draw();
    });
    plot.append(bar);
    plot.addEventListener(
      'wheel',
      (event) => {
        if (!event.ctrlKey && !event.metaKey) return;
        event.preventDefault();
        const box = svg.getBoundingClientRect();
        const at = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
        zoom(event.deltaY < 0 ? 1.25 : 0.8, ...at);
      },
      { passive: false },
    );
    let from = null;
    svg.addEventListener('pointerdown', (event) => {
      if (view.width < full.width) from = { x: event.clientX, y: event.clientY, view: { ...view } };
    });
    window.addEventListener('pointermove', (event) => {
      if (!from) return;
      const scale = view.width / svg.getBoundingClientRect().width;
      view = { ...view, x: from.view.x - (event.clientX - from.x) * scale, y: from.view.y - (event.clientY - from.y) * scale };
      draw();
    });
    window.addEventListener('pointerup', () => (from = null));
  }

  // Commands: a click copies them.
  for (const code of all('code.command')) {
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'copy';
    button.textContent = 'copy';
    button.addEventListener('click', async () => {
      const text = code.textContent;
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = 'copied';
      } catch {
        // Pages that are files may not write to the clipboard: select the words instead.
        getSelection().selectAllChildren(code);
        button.textContent = 'selected';
      }
    });
    code.after(button);
  }
})();
