package hostile

import "strings"

// bodies are modules with more code than a person would write.
func bodies() []Module {
	big := func(unit string) func() []byte { return with(over(2), many(mib/len(unit), unit)) }
	return []Module{
		{Name: "a body over its limit", Upload: invalid, Says: "is over the limit of", Make: with(over(1), many(2*mib, "\x01"))},
		{Name: "a body of nothing", Upload: taken, Request: served, Make: big("\x01")},
		{Name: "a body of sums", Upload: costly, Make: big(get(0) + number(1) + add + set(0))},
		{Name: "a body of sums that are dropped", Upload: costly, Make: big(zero + drop)},
		{Name: "a body of divisions", Upload: costly, Make: big(get(0) + get(1) + "\x6d" + set(0))},
		{Name: "a body of choices", Upload: costly, Make: big(get(0) + get(1) + get(0) + "\x1b" + set(1))},
		{
			Name: "a body of choices of floats", Upload: costly,
			Make: with(vec(group(2, f64)), many(25_000, get(0)+get(1)+get(1)+get(0)+"\x63\x1b"+set(0)), zero+get(0)+"\x39\x03\x00"),
		},
		{
			Name: "a body of conversions of vectors", Upload: costly,
			Make: with(vec(group(1, v128)), get(0), many(25_000, "\xfd\xf9\x01"), set(0), zero+get(0)+"\xfd\x0b\x00\x00"),
		},
		{Name: "a body of loads", Upload: costly, Make: big(get(0) + "\x28\x02\x00" + set(0))},
		{Name: "a body of stores", Upload: costly, Make: big(get(0) + get(1) + "\x36\x02\x00")},
		{Name: "a body of calls", Upload: costly, Make: big(call(1))},
		{Name: "a body of calls by table", Upload: costly, Make: tabled(many(mib/5, zero+"\x11\x01\x00"))},
		{Name: "a body of vectors", Upload: costly, Make: with(vec(group(2, v128)), many(mib/8, get(0)+get(1)+"\xfd\x6e"+set(0)))},
		{
			Name: "a body of shuffles", Upload: costly,
			Make: with(vec(group(2, v128)), many(mib/24, get(0)+get(1)+"\xfd\x0d"+many(16, "\x01")+set(0))),
		},
		{Name: "a body of vector constants", Upload: costly, Make: with(none, many(mib/19, "\xfd\x0c"+many(16, "\x07")+drop))},
		{Name: "a body of large constants", Upload: costly, Make: with(none, many(mib/12, "\x42"+many(9, "\x85")+"\x00"+drop))},
		{Name: "a body of floating-point constants", Upload: costly, Make: with(none, many(mib/10, "\x44"+many(8, "\x17")+drop))},
		{Name: "a body of roots", Upload: costly, Make: with(vec(group(1, f64)), many(mib/5, get(0)+"\x9f"+set(0)))},
		{Name: "a body of memory growth", Upload: costly, Make: big(zero + growMemory + drop)},
		{Name: "a body of globals", Upload: costly, Make: func() []byte {
			p := guest()
			p.globals = []string{i64 + "\x01\x42\x00" + end}
			return p.function(toNone, none, many(mib/5, "\x23\x00\x24\x00")).bytes()
		}},
		{Name: "fills", Upload: invalid, Says: "split it", Make: big(zero + zero + zero + fill)},
		{Name: "copies", Upload: invalid, Says: "split it", Make: big(zero + zero + zero + "\xfc\x0a\x00\x00")},
		{Name: "fills of a table", Upload: costly, Make: tabled(many(mib/9, zero+"\xd0\x70"+zero+"\xfc\x11\x00"))},
		{Name: "copies of a table", Upload: costly, Make: tabled(many(mib/10, zero+zero+zero+"\xfc\x0e\x00\x00"))},
		{Name: "growths of a table", Upload: costly, Make: tabled(many(mib/8, "\xd0\x70"+zero+"\xfc\x0f\x00"+drop))},
		{Name: "reads of a table", Upload: costly, Make: tabled(many(mib/5, zero+"\x25\x00"+drop))},
		{Name: "writes of a table", Upload: costly, Make: tabled(many(mib/6, zero+"\xd0\x70\x26\x00"))},
		{Name: "references of functions", Upload: costly, Make: tabled(many(mib/3, "\xd2\x00"+drop))},
		{Name: "a deep stack of operands", Upload: costly, Make: with(none, many(mib/4, zero), many(mib/4-1, add), drop)},
		{Name: "a deep stack that is dropped", Upload: costly, Make: with(none, many(mib/4, zero), many(mib/4, drop))},
		{
			Name: "a deep stack of loaded operands", Upload: costly,
			Make: with(over(1), many(mib/7, get(0)+"\x28\x02\x00"), many(mib/7-1, add), drop),
		},
		{Name: "code behind an end that is never reached", Upload: taken, Request: served, Make: with(none, unreachable, many(mib-8, add), drop)},
		{Name: "calls with 1,000 arguments", Upload: invalid, Says: "over the limit of", Make: arguments(many(500, each(1000, get)+call(1)))},
		{Name: "100,000 functions", Upload: costly, Make: functions(99_999)},
		{Name: "200,000 functions", Upload: invalid, Says: "over the limit of", Make: functions(200_000)},
		{Name: "a long chain of calls", Upload: costly, Make: func() []byte {
			p := guest()
			for i := range 20_000 {
				p.function(toNone, none, call(min(i+2, 20_000)))
			}
			return p.bytes()
		}},
		{Name: "15 bodies of 1 MiB", Upload: costly, Make: func() []byte {
			p, code := guest(), many(mib/7-16, get(0)+number(1)+add+set(0))
			for range 15 {
				p.function(toNone, over(1), code)
			}
			return p.bytes()
		}},
		{Name: "over the size of an upload", Upload: tooLarge, Says: "", Make: func() []byte {
			p := guest()
			p.after = custom("x", many(65*mib, "\x00"))
			return p.bytes()
		}},
	}
}

const mib = 1<<20 - 64 // what a body has room for beside its locals

// tabled returns a maker of a guest with a function that uses a table.
func tabled(code string) func() []byte {
	return func() []byte {
		p := guest()
		p.tables = []string{funcRef + "\x01\x10\x10"}
		p.elements = []string{"\x00" + zero + end + vec("\x00")}
		return p.function(toNone, none, code).bytes()
	}
}

// arguments returns a maker of a guest with a function of 1,000 parameters.
func arguments(code string) func() []byte {
	return func() []byte {
		p := guest()
		p.typed(strings.Repeat(i32, 1000), "")
		return p.function(nextType, none, code).bytes()
	}
}

func functions(n int) func() []byte {
	return func() []byte {
		p := guest()
		nothing := body(none)
		for range n {
			p.functions, p.codes = append(p.functions, u(toNone)), append(p.codes, nothing)
		}
		return p.bytes()
	}
}
