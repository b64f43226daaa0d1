'use strict';

/* Behind the page's own script, in a real browser: does what a user would, and looks what comes of it.
 * The page is then a list of what went wrong, and a last line. */
(() => {
    const wrong = [];
    let checks = 0;
    const check = (holds, what) => { checks++; if (!holds) wrong.push(what); };
    const close = (a, b) => Math.abs(a - b) < (last - first) * 1e-6;
    const rowNamed = text => trace.rows.find(row => row.name.includes(text));
    const centre = (row, span, depth) => [toX((span.begin + span.end) / 2), row.top - view.scrollTop + depth * LANE + LANE / 2];
    const point = (type, [x, y], more = {}) => {
        const box = canvas.getBoundingClientRect();
        canvas.dispatchEvent(new PointerEvent(type, { bubbles: true, clientX: box.left + x, clientY: box.top + y, ...more }));
    };
    const key = (name, target = view) =>
        target.dispatchEvent(new KeyboardEvent('keydown', { bubbles: true, cancelable: true, key: name }));
    const colourAt = ([x, y]) => {
        const scale = window.devicePixelRatio || 1, at = pen.getImageData(x * scale, y * scale, 1, 1).data;
        return [...at].slice(0, 3).join(' ');
    };
    const asPixel = colour => {
        const probe = document.createElement('canvas').getContext('2d');
        probe.fillStyle = colour;
        probe.fillRect(0, 0, 1, 1);
        return [...probe.getImageData(0, 0, 1, 1).data].slice(0, 3).join(' ');
    };
    const find = text => {
        search.value = text;
        search.dispatchEvent(new Event('input'));
    };

    try {
        draw();

        /* What is in it. */
        const two = rowNamed('two'), waitsForLock = two.slices.find(span => span.name === 'lock');
        check(trace.title.startsWith('timeline_traced'), `the title is ${trace.title}`);
        check(document.title.startsWith('timeline_traced: '), 'the page has a title');
        check(two.name === 'worker <\/script><b>two</b>', `a name is ${two.name}`);
        check(document.querySelectorAll('b').length === 0, 'a name has become part of the page');
        check(rowNamed('"3" é') !== undefined, 'quotes and UTF-8 in a name');
        check(rowNamed('loop 1').lanes.length >= 2, 'iterations have polls in them');
        check(rowNamed('cora_0').slices.length === 1 && rowNamed('cora_0').moments.length === 1, 'a job with a mark');
        check(two.marks.length === 1 && two.lanes.length === 2, 'a mark lies in a lane of its own');
        check(waitsForLock !== undefined && waitsForLock.object.startsWith('0x'), 'a wait for a lock');
        check(performance.getEntriesByType('resource').length === 0, 'it loads nothing else');
        check([...document.querySelectorAll('#legend span')].map(entry => entry.textContent).includes('lock'), 'the legend');

        /* It is drawn. */
        const spot = centre(two, waitsForLock, 0);
        spot[0] = toX(waitsForLock.end) - 4; /* past its text */
        check(colourAt(spot) === asPixel(colourOf(waitsForLock)), `a wait is drawn as ${colourAt(spot)}`);
        check(colourAt([LABELS - 6, spot[1]]) === asPixel(getComputedStyle(document.documentElement).getPropertyValue('--paper')),
              'beside the rows nothing is drawn');

        /* Tooltip, click. */
        point('pointermove', spot);
        check(tip.style.display === 'block' && tip.textContent.includes('waits for lock'), `the tooltip: ${tip.textContent}`);
        check(tip.textContent.includes(waitsForLock.object), 'the tooltip names the lock');
        point('pointermove', [spot[0], 2]);
        check(tip.style.display === 'none', 'the tooltip goes');
        point('pointerdown', spot);
        point('pointerup', spot);
        check(chosen === waitsForLock, 'a click chooses');
        check(document.getElementById('details').textContent.includes('waits for lock'), 'and tells');
        point('pointerdown', [20, spot[1]]);
        point('pointerup', [20, spot[1]]);
        const sums = document.getElementById('details').textContent;
        check(/two<\/b>: .*\block [0-9]/.test(sums) && /\bsleep [0-9]/.test(sums), `a row is summed up: ${sums}`);

        /* Zoom and pan. */
        const all = to - from;
        key('+');
        check(to - from < all * 0.8, '+ zooms in');
        key('-');
        check(close(to - from, all), '- zooms out');
        key('w'), key('w'), key('w');
        const left = from;
        key('ArrowRight');
        check(from > left, 'the arrow moves');
        key('ArrowLeft');
        check(close(from, left), 'and back');
        const time = toTime(700);
        canvas.dispatchEvent(new WheelEvent('wheel', { bubbles: true, cancelable: true, ctrlKey: true, deltaY: -200,
            clientX: canvas.getBoundingClientRect().left + 700, clientY: 100 }));
        check(close(toTime(700), time), 'the wheel zooms where the pointer is');
        point('pointerdown', [700, 100]);
        point('pointermove', [800, 100]);
        check(close(toTime(800), time), 'what is dragged stays under the pointer');
        point('pointerup', [800, 100]);
        key('0');
        check(close(to - from, all), '0 shows all');
        point('dblclick', spot);
        check(close(to - from, (waitsForLock.end - waitsForLock.begin) * 1.2), 'a double click shows what it is on');
        for (let i = 0; i < 100; i++)
            key('+');
        check(to - from >= LEAST, 'there is an end to zooming');
        draw();
        for (let i = 0; i < 100; i++)
            key('d');
        check(from <= last && Number.isFinite(from), 'and to moving');
        document.getElementById('all').click();
        check(close(to - from, all), 'the button shows all');

        /* Search. */
        const rows = shown.length, processes = new Set(trace.rows.map(row => row.pid)).size;
        key('/');
        check(document.activeElement === search, '/ goes to the search');
        find('WORKER');
        check(shown.length === 3 * processes, `${shown.length} workers`);
        key('+', search);
        check(close(to - from, all), 'who types does not zoom');
        find('nobody is called so');
        check(shown.length === 0, 'nobody');
        key('Escape', search);
        check(shown.length === rows && search.value === '', 'Escape ends the search');

        /* How long a picture takes: told, not judged. */
        const count = trace.rows.reduce((sum, row) => sum + spansOf(row).length, 0), begin = performance.now();
        for (let i = 0; i < 20; i++) {
            show(first + i, last);
            draw();
        }
        wrong.push(`${count} spans, ${((performance.now() - begin) / 20).toFixed(1)} ms a picture; ` +
                   `${checks - wrong.length} of ${checks} checks hold`);
    } catch (error) {
        wrong.push(`${error.stack}`, 'the checks came to no end');
    }
    document.body.textContent = '\n' + wrong.map(line => 'timeline: ' + line).join('\n') + '\n';
})();
