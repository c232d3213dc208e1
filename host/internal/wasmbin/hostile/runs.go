package hostile

// attack is code that does not end, or not well.
type attack struct {
	name   string
	code   string         // of a function of type () -> () that knows its own index
	locals string         // "" = one i32
	extend func(p *parts) // what it needs; nil = nothing
	status int            // of its requests
}

// attacks are the ways, of a function of that index.
func attacks(self int) []attack {
	count := get(0) + number(1) + add + tee0
	again := zero + "\x0e\x01\x00\x00" // a branch table that goes round
	return []attack{
		{name: "a loop", code: loop + br(0) + end, status: deadlined},
		{name: "a loop that counts", code: loop + count + drop + br(0) + end, status: deadlined},
		{name: "a loop by a branch", code: loop + number(1) + brIf(0) + end, status: deadlined},
		{name: "a loop by a branch table", code: loop + again + end, status: deadlined},
		{name: "loops in loops", code: nest(30, loop, br(29)), status: deadlined},
		{name: "a recursion", code: call(self), status: trapped},
		{name: "a recursion with many locals", locals: vec(group(5000, i64)), code: call(self), status: trapped},
		{
			name: "a recursion with many vectors", locals: vec(group(1000, v128)),
			code: get(0) + call(self) + drop, status: trapped,
		},
		{name: "a recursion by a table", code: zero + "\x11\x01\x00", status: trapped, extend: func(p *parts) {
			p.tables = []string{funcRef + "\x00\x01"}
			p.elements = []string{"\x00" + zero + end + vec(u(self))}
		}},
		{
			name: "an exponential recursion", locals: over(1), status: deadlined,
			code: depth + number(1) + add + setDepth + depth + number(40) + "\x48" + ifThen + call(self) + call(self) + end +
				depth + number(1) + "\x6b" + setDepth,
			extend: func(p *parts) { p.globals = []string{i32 + "\x01" + zero + end} },
		},
		{
			name: "a loop of fills", code: loop + zero + zero + number(64<<20) + fill + br(0) + end, status: deadlined,
			extend: func(p *parts) { p.memories = []string{"\x00" + u(1024)} },
		},
		{
			name: "a loop of copies", code: loop + zero + number(1) + number(64<<20-1) + "\xfc\x0a\x00\x00" + br(0) + end, status: deadlined,
			extend: func(p *parts) { p.memories = []string{"\x00" + u(1024)} },
		},
		{name: "a loop of memory growth", code: loop + number(1) + growMemory + drop + br(0) + end, status: deadlined},
		{name: "a memory that grows by 4 GiB", code: loop + number(65535) + growMemory + drop + br(0) + end, status: deadlined},
		{
			name: "a loop of table growth", code: loop + "\xd0\x70" + number(1000) + "\xfc\x0f\x00" + drop + br(0) + end, status: deadlined,
			extend: func(p *parts) { p.tables = []string{funcRef + "\x00\x01"} },
		},
		{
			name: "a table that grows by 2^31", code: loop + "\xd0\x70" + number(1<<31-1) + "\xfc\x0f\x00" + drop + br(0) + end, status: deadlined,
			extend: func(p *parts) { p.tables = []string{funcRef + "\x00\x01"} },
		},
		{
			name: "a loop of table fills", code: loop + zero + "\xd0\x70" + number(200_000) + "\xfc\x11\x00" + br(0) + end, status: deadlined,
			extend: func(p *parts) { p.tables = []string{funcRef + "\x00" + u(200_000)} },
		},
		{
			name: "a loop of table copies", code: loop + zero + number(1) + number(199_999) + "\xfc\x0e\x00\x00" + br(0) + end, status: deadlined,
			extend: func(p *parts) { p.tables = []string{funcRef + "\x00" + u(200_000)} },
		},
		{name: "a write outside memory", code: number(-1) + zero + "\x36\x02\x00", status: trapped},
		{
			name: "a call of nothing", code: number(9) + "\x11\x01\x00", status: trapped,
			extend: func(p *parts) { p.tables = []string{funcRef + "\x00\x01"} },
		},
		{name: "unreachable", code: unreachable, status: trapped},
		{name: "a division by zero", code: zero + zero + "\x6d" + drop, status: trapped},
	}
}

const (
	tee0     = "\x22\x00"
	depth    = "\x23\x00" // global 0
	setDepth = "\x24\x00"
)

// made returns a maker of a guest of an attack, added by add.
func (a attack) made(add func(p *parts, locals, code string)) func() []byte {
	return func() []byte {
		p := guest()
		if a.status == deadlined {
			p.after = hasty()
		}
		if a.extend != nil {
			a.extend(p)
		}
		locals := a.locals
		if locals == "" {
			locals = over(1)
		}
		add(p, locals, a.code)
		return p.bytes()
	}
}

// starts are modules that attack when they are instantiated, and every third
// when it is initialised: that is another call of the same.
func starts() []Module {
	var all []Module
	for i, a := range attacks(1) { // behind the handler
		all = append(all, Module{Name: "start section: " + a.name, Upload: invalid, Make: a.made(func(p *parts, locals, code string) { p.starting(locals, code) })})
		if i%3 == 0 {
			all = append(all, Module{Name: "_initialize: " + a.name, Upload: invalid, Make: a.made(func(p *parts, locals, code string) { p.initialize(locals, code) })})
		}
	}
	return all
}

// requests are modules that attack when they handle a request: once they have
// asked for something, and every third at once, as it would any request.
func requests() []Module {
	var all []Module
	for _, a := range attacks(2) { // behind what is asked and the handler
		all = append(all, Module{Name: a.name, Upload: taken, Request: a.status, Make: a.made(func(p *parts, locals, code string) {
			p.imports = []string{text("wasi_snapshot_preview1") + text("sched_yield") + "\x00" + u(toI32)}
			p.handle(none, call(0)+drop+call(2)+zero).function(toNone, locals, code)
		})})
	}
	for i, a := range attacks(1) {
		if i%3 == 0 {
			all = append(all, Module{Name: "any: " + a.name, Upload: invalid, Says: "every request would fail", Make: a.made(func(p *parts, locals, code string) {
				p.handle(none, call(1)+zero).function(toNone, locals, code)
			})})
		}
	}
	return all
}
