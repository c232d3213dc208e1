package hostile

import "strconv"

// sizes are modules that want much memory, large tables, or many of something.
func sizes() []Module {
	changed := func(change func(p *parts)) func() []byte {
		return func() []byte {
			p := guest()
			change(p)
			return p.bytes()
		}
	}
	memory := func(limits string) func() []byte { return changed(func(p *parts) { p.memories = []string{limits} }) }
	table := func(tables ...string) func() []byte { return changed(func(p *parts) { p.tables = tables }) }
	return []Module{
		{Name: "a memory of 4 GiB", Upload: tooLarge, Says: "memory", Make: memory("\x00" + u(65536))},
		{Name: "a memory of 4 GiB and a page", Upload: invalid, Says: "at most", Make: memory("\x00" + u(65537))},
		{Name: "a memory of 2^32 - 1 pages", Upload: invalid, Says: "at most", Make: memory("\x00\xff\xff\xff\xff\x0f")},
		{Name: "a memory that is larger than it may be", Upload: invalid, Says: "below its minimum", Make: memory("\x01\x02\x01")},
		{Name: "a memory that may be 4 GiB", Upload: taken, Request: served, Make: memory("\x01\x00" + u(65536))},
		{Name: "a memory of no page", Upload: taken, Request: served, Make: memory("\x00\x00")},
		{Name: "a memory of 64 MiB", Upload: taken, Request: served, Make: memory("\x00" + u(1024))},
		{Name: "a shared memory", Upload: invalid, Says: "shared", Make: memory("\x03\x01\x01")},
		{Name: "a memory of 64-bit addresses", Upload: invalid, Says: "flags", Make: memory("\x04\x01")},
		{Name: "1,000 memories", Upload: invalid, Says: "over the limit of", Make: changed(func(p *parts) { p.memories = items(1000, "\x00\x01") })},
		{Name: "a table of 2^32 - 1 elements", Upload: invalid, Says: "over the limit of", Make: table(funcRef + "\x00\xff\xff\xff\xff\x0f")},
		{Name: "a table of 100,000,000 elements", Upload: invalid, Says: "over the limit of", Make: table(funcRef + "\x00" + u(100_000_000))},
		{Name: "a table that is larger than it may be", Upload: invalid, Says: "below its minimum", Make: table(funcRef + "\x01\x02\x01")},
		{Name: "a table just as large as may be", Upload: taken, Request: served, Make: table(externRef + "\x00" + u(200_000))},
		{Name: "100 tables just as large as may be", Upload: costly, Make: table(items(100, funcRef+"\x00"+u(200_000))...)},
		{Name: "1,000,000 tables", Upload: invalid, Says: "over the limit of", Make: table(items(1_000_000, funcRef+"\x00\x00")...)},
		{Name: "elements that fill a table", Upload: taken, Request: served, Make: changed(func(p *parts) {
			p.tables = []string{funcRef + "\x00" + u(200_000)}
			p.elements = []string{"\x00" + zero + end + u(200_000) + many(200_000, "\x00")}
		})},
		{Name: "elements over the end of their table", Upload: taken, Request: served, Make: changed(func(p *parts) {
			p.tables = []string{funcRef + "\x00\x01"}
			p.elements = []string{"\x00" + number(1) + end + vec("\x00")}
		})},
		{Name: "elements that fill a table, 100 times", Upload: costly, Make: changed(func(p *parts) {
			p.tables = []string{funcRef + "\x00" + u(200_000)}
			p.elements = items(100, "\x00"+zero+end+u(200_000)+many(200_000, "\x00"))
		})},
		{Name: "elements that are expressions", Upload: costly, Make: changed(func(p *parts) {
			p.elements = []string{"\x05" + funcRef + u(200_000) + many(200_000, "\xd2\x00"+end)}
		})},
		{Name: "100,000 segments of elements", Upload: costly, Make: changed(func(p *parts) {
			p.elements = items(100_000, "\x01\x00\x00")
		})},
		{Name: "100,000 globals", Upload: costly, Make: changed(func(p *parts) {
			p.globals = items(100_000, v128+"\x01\xfd\x0c"+many(16, "\x07")+end)
		})},
		{Name: "1,000,000 globals", Upload: invalid, Says: "over the limit of", Make: changed(func(p *parts) { p.globals = items(1_000_000, i32+"\x01"+zero+end) })},
		{Name: "globals of one another", Upload: invalid, Says: "", Make: changed(func(p *parts) { p.globals = items(1_000, i32+"\x00\x23\x01"+end) })},
		{Name: "a global of a long expression", Upload: invalid, Says: "", Make: changed(func(p *parts) {
			p.globals = []string{i32 + "\x00" + many(1_000_000, zero) + many(999_999, add) + end}
		})},
		{Name: "100,000 segments of data", Upload: costly, Make: changed(func(p *parts) { p.data = items(100_000, "\x00"+zero+end+"\x01x") })},
		{Name: "1,000,000 segments of data", Upload: invalid, Says: "over the limit of", Make: changed(func(p *parts) { p.data = items(1_000_000, "\x01\x00") })},
		{Name: "data over data", Upload: costly, Make: changed(func(p *parts) {
			p.memories = []string{"\x00" + u(16)}
			p.data = items(60, "\x00"+zero+end+text(many(1<<20, "\x07")))
		})},
		{Name: "data over the end of memory", Upload: invalid, Says: "", Make: changed(func(p *parts) {
			p.data = []string{"\x00" + number(65536) + end + "\x01x"}
		})},
		{Name: "data at a negative offset", Upload: invalid, Says: "", Make: changed(func(p *parts) {
			p.data = []string{"\x00" + number(-1) + end + "\x01x"}
		})},
		{Name: "10,000 exports", Upload: taken, Request: served, Make: changed(func(p *parts) {
			for i := range 9_990 {
				p.exports = append(p.exports, text(strconv.Itoa(i))+"\x00\x00")
			}
		})},
		{Name: "130,000,000 exports in 14 bytes", Upload: invalid, Says: "over the limit of", Make: func() []byte { return []byte(header + "\x07\x04\x80\xfa\xfe\x3d") }},
	}
}

// items repeats an item of a section.
func items(n int, item string) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = item
	}
	return all
}
