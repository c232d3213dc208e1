package hostile

// locals are modules with more locals and wider types than a person would write.
func locals() []Module {
	const all = "\xff\xff\xff\xff\x0f" // 2^32 - 1
	refused := "locals are over the limit of"
	typed := func(params, results string) func() []byte {
		return func() []byte {
			p := guest()
			p.typed(params, results)
			return p.bytes()
		}
	}
	return []Module{
		{Name: "1,000,000 locals in 36 bytes", Upload: invalid, Says: refused, Make: with(over(1_000_000))},
		{Name: "4,294,967,295 locals", Upload: invalid, Says: refused, Make: with("\x01" + all + i32)},
		{Name: "locals whose sum is over 2^32", Upload: invalid, Says: refused, Make: with("\x02" + all + i32 + "\x02" + i64)},
		{Name: "locals whose sum is over 2^32, in many groups", Upload: invalid, Says: refused, Make: with(vec(items(1001, all+i64)...))},
		{Name: "1,000,000 locals in as many groups", Upload: invalid, Says: "over the limit of", Make: with(u(1_000_000) + many(1_000_000, group(1, i32)))},
		{Name: "1,000,000 groups of no locals", Upload: invalid, Says: "over the limit of", Make: with(u(1_000_000) + many(1_000_000, group(0, v128)))},
		{Name: "1,000,000 vectors", Upload: invalid, Says: refused, Make: with(vec(group(1_000_000, v128)))},
		{Name: "1,000,000 references", Upload: invalid, Says: refused, Make: with(vec(group(1_000_000, externRef)))},
		{Name: "1,000,000 locals of many types", Upload: invalid, Says: refused, Make: with(u(4000) + many(1000, group(250, i32), group(250, i64), group(250, f64), group(250, v128)))},
		{Name: "just as many locals as may be", Upload: taken, Request: served, Make: with(vec(group(5000, v128)), get(4999)+set(0))},
		{Name: "just as many locals in every function", Upload: costly, Make: func() []byte {
			p, nothing := guest(), body(over(5000))
			for range 99_999 {
				p.functions, p.codes = append(p.functions, u(toNone)), append(p.codes, nothing)
			}
			return p.bytes()
		}},
		{
			Name: "locals that all live across calls", Upload: costly,
			Make: with(over(5000), setAll(5000), many(50_000, call(1)), each(5000, func(i int) string { return get(i) + drop })),
		},
		{
			Name: "locals that all live at once", Upload: costly,
			Make: with(over(5000), many(10, setAll(5000)), each(5000, get), many(4999, add), drop),
		},
		{
			Name: "locals that swap around in loops", Upload: costly,
			Make: with(over(150), many(80, nest(30, loop, each(149, func(i int) string { return get(i) + get(i+1) + set(i) + set(i+1) })+get(0)+brIf(7)))),
		},
		{Name: "10,000 parameters", Upload: invalid, Says: "over the limit of", Make: typed(many(10_000, i32), "")},
		{Name: "1,001 results", Upload: invalid, Says: "over the limit of", Make: typed("", many(1001, i32))},
		{Name: "4,294,967,295 parameters", Upload: invalid, Says: "over the limit of", Make: func() []byte {
			p := guest()
			p.types = append(p.types, "\x60"+all)
			return p.bytes()
		}},
		{Name: "9,000 types of 1,000 parameters and results", Upload: costly, Make: func() []byte {
			p := guest()
			for range 9_000 {
				p.typed(many(1000, i64), many(1000, v128))
			}
			return p.bytes()
		}},
		{Name: "1,000,000 types", Upload: invalid, Says: "over the limit of", Make: func() []byte {
			p := guest()
			p.types = append(p.types, items(1_000_000, funcType("", ""))...)
			return p.bytes()
		}},
		{Name: "functions that give 1,000 results", Upload: costly, Make: func() []byte {
			p := guest()
			t := p.typed("", many(1000, i64))
			for i := range 100 {
				p.function(t, none, call(i+2))
			}
			return p.function(t, none, many(1000, "\x42\x00")).bytes()
		}},
		{Name: "functions that take 1,000 vectors", Upload: costly, Make: func() []byte {
			p := guest()
			t := p.typed(many(1000, v128), many(1000, v128))
			for i := range 100 {
				p.function(t, none, each(1000, get), call(i+2))
			}
			return p.function(t, none, each(1000, get)).bytes()
		}},
	}
}
