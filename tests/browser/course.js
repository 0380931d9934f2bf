// What the tests ask of an open notebook; put into each page before it loads, used as `course.…`.
window.course = (() => {
  const panel = () => window.jupyterapp.shell.currentWidget;
  const cells = () => panel().content.widgets;
  const first = text => text.trim().split('\n')[0].slice(0, 60);
  const asked = [];  // each run of a cell: its text, when it began and ended, whether it showed a bar
  let answered = 0;  // messages of controls that the kernel has dealt with

  // Listen to the kernel: `watch(barText)`, before anything is run.
  async function watch(barText) {
    await panel().context.ready;
    await panel().sessionContext.ready;
    panel().sessionContext.session.iopubMessage.connect((_, message) => {
      const parent = message.parent_header, date = Date.parse(message.header.date) / 1000;
      const kind = message.header.msg_type, run = asked.find(one => one.id === parent.msg_id);
      if (kind === 'execute_input') asked.push({id: parent.msg_id, text: message.content.code, begun: date});
      if (run && kind === 'display_data' && message.content.data['text/plain'] === barText) run.bar = true;
      if (run && kind === 'stream' && /\d%\||\d+\/\d+ \[|\dit \[/.test(message.content.text)) run.bar = true;
      if (kind === 'status' && message.content.execution_state === 'idle') {
        if (run) run.ended = date;
        if (parent.msg_type === 'comm_msg') answered += 1;
      }
    });
    return panel().sessionContext.session.kernel.id;
  }

  // Everything that a page 1280 pixels wide cuts off, breaks in mid-word or shows without a text for it.
  function misfits() {
    const found = [];
    const shown = part => part.getClientRects().length > 0;
    const too_wide = part => part.scrollWidth > part.clientWidth + 2;
    for (const cell of cells()) {
      const say = what => found.push(`${first(cell.model.sharedModel.getSource())}: ${what}`);
      const code = cell.node.querySelector('.jp-InputArea .cm-scroller');
      if (cell.model.type === 'code' && code && shown(code) && too_wide(code)) say(`code ${code.scrollWidth} pixels wide`);
      for (const text of cell.node.querySelectorAll('.jp-OutputArea-output .jp-RenderedText pre, .jp-RenderedText.jp-OutputArea-output pre')) {
        if (text.closest('[data-mime-type="application/vnd.jupyter.error"]') || !shown(text)) continue;
        const lines = text.textContent.replace(/\n$/, '').split('\n');
        const high = text.getBoundingClientRect().height / parseFloat(getComputedStyle(text).lineHeight);
        const columns = lines.filter(line => /\S {3,}\S/.test(line)).map(line => line.length);  // a table's rows
        if (high > lines.length + 0.5 && Math.max(0, ...columns) > 108) say(`a printed table of ${Math.max(...columns)} characters is broken`);
        if (high > lines.length + 0.5 && getComputedStyle(text).wordBreak === 'break-all') say('printed lines break in mid-word');
        if (text.closest('.jp-OutputArea-executeResult') && /^[{\[]/.test(lines[0])) say(`raw result: ${lines[0].slice(0, 60)}`);
      }
      for (const part of cell.node.querySelectorAll('.jp-RenderedHTMLCommon')) {
        if (shown(part) && too_wide(part)) say(`text, table or formula ${part.scrollWidth} of ${part.clientWidth} pixels`);
      }
      for (const image of cell.node.querySelectorAll('.jp-OutputArea-output img')) {
        if (!image.alt.trim()) say('a figure without a text');
      }
      for (const error of cell.node.querySelectorAll('mjx-merror')) say(`formula: ${error.textContent}`);
    }
    return found;
  }

  // Our own texts (verdicts, tables, prose) whose contrast with the page is below 4.5.
  function pale() {
    const numbers = colour => colour.match(/[\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = part => {
      for (let at = part; at; at = at.parentElement) {
        const colour = getComputedStyle(at).backgroundColor;
        if (!(numbers(colour)[3] === 0)) return light(numbers(colour));
      }
      return 1;
    };
    const found = new Set();
    for (const part of panel().content.node.querySelectorAll('.jp-RenderedHTMLCommon *, .jp-RenderedText pre, .jupyter-widgets *')) {
      const own = [...part.childNodes].some(node => node.nodeType === 3 && node.textContent.trim());
      if (!own || !part.getClientRects().length || part.closest('mjx-container, pre span')) continue;
      const [a, b] = [light(numbers(getComputedStyle(part).color)), behind(part)];
      const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      if (contrast < 4.5) found.add(`${contrast.toFixed(1)}: ${part.tagName} ${part.className} ${part.textContent.trim().slice(0, 60)}`);
    }
    return [...found];
  }

  // How wide figures are drawn, as a share of their own width: {text of the figure: share}.
  function figures() {
    const images = [...panel().content.node.querySelectorAll('.jp-OutputArea-output img')];
    return Object.fromEntries(images.map(image => [image.alt, image.clientWidth / image.naturalWidth]));
  }

  // The controls of explorers, in the page's order.
  const controls = () => [...panel().content.node.querySelectorAll(
    '.jp-OutputArea-output.jupyter-widgets select, .jp-OutputArea-output.jupyter-widgets .noUi-handle, ' +
    '.jp-OutputArea-output.jupyter-widgets input')];
  const explorer = control => control.closest('.jp-OutputArea-output.jupyter-widgets');
  const seen = control => {  // what an explorer shows: its pictures and texts
    const box = explorer(control);
    const pictures = [...box.querySelectorAll('img')].map(image => image.src);
    return JSON.stringify([pictures, [...box.querySelectorAll('.jp-OutputArea-output')].map(part => part.textContent)]);
  };
  let before = '', answered_before = 0;

  // Put the focus on a control; says what it is and which key changes it.
  async function focus(number) {
    const control = controls()[number];
    const index = cells().findIndex(cell => cell.node.contains(control));
    await panel().content.scrollToItem(index, 'start');
    control.scrollIntoView({block: 'center'});
    control.focus();
    before = seen(control);
    answered_before = answered;
    const kind = control.matches('select') ? 'list' : control.matches('.noUi-handle') ? 'slider' : control.type;
    let key = {checkbox: 'Space', text: 'Enter'}[kind];
    if (kind === 'list') key = control.selectedIndex + 1 < control.options.length ? 'ArrowDown' : 'ArrowUp';
    if (kind === 'slider') key = Number(control.ariaValueNow) < Number(control.ariaValueMax) ? 'ArrowRight' : 'ArrowLeft';
    return {kind, key, cell: index, focused: document.activeElement === control};
  }

  // Wait until the explorer shows something else; null when the kernel has answered and it did not.
  async function changed(number, seconds) {
    const end = performance.now() + 1000 * seconds;
    let quiet = 0;
    while (performance.now() < end) {
      if (seen(controls()[number]) !== before) return Date.now() / 1000;
      quiet = answered > answered_before ? quiet + 1 : 0;
      if (quiet > 15) return null;
      await new Promise(done => setTimeout(done, 20));
    }
    return null;
  }

  // Each slider's label, length in pixels, and number of values.
  function sliders() {
    return controls().filter(control => control.matches('.noUi-handle')).map(control => {
      const track = control.closest('.noUi-target').getBoundingClientRect();
      const box = control.closest('.widget-slider');
      const number = box.querySelector('.widget-readout');
      return {label: control.ariaLabel, pixels: track.width, number: Boolean(number && number.getClientRects().length),
              low: Number(control.ariaValueMin), high: Number(control.ariaValueMax)};
    });
  }

  const explorers_saying = text => [...new Set(controls().map(explorer))].filter(box => box.textContent.includes(text)).length;

  // Go to the cell of this number as a learner does, to write in it.
  async function edit(number) {
    panel().content.activeCellIndex = number;
    // a second scroll leaves the promise of the first open for ever
    const late = new Promise(done => setTimeout(done, 3000));
    await Promise.race([panel().content.scrollToItem(number, 'center'), late]);
    await window.jupyterapp.commands.execute('notebook:enter-edit-mode');
  }
  const find = text => cells().findIndex(cell => cell.model.type === 'code' && cell.model.sharedModel.getSource().includes(text));

  return {watch, asked, misfits, pale, figures, controls, focus, changed, sliders, explorers_saying, edit, find, cells, panel, seen};
})();
