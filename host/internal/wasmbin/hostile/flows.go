package hostile

import "strings"

// with returns a maker of a guest with one more function, which nobody calls.
func with(locals string, code ...string) func() []byte {
	return func() []byte { return guest().function(toNone, locals, code...).bytes() }
}

// over are locals of the type i32.
func over(n int) string { return vec(group(n, i32)) }

// flows are modules whose control flow a compiler takes long for.
func flows() []Module {
	decide := func(inner ...string) string { return get(0) + ifThen + many(1, inner...) + end }
	count := get(0) + number(1) + add + set(0)
	targets := func(n int) string { return block + get(0) + "\x0e" + u(n) + many(n+1, "\x00") + end }
	return []Module{
		{Name: "500 nested loops over 500 locals", Upload: invalid, Says: "loops nest deeper than", Make: with(over(500), nest(500, loop, count))},
		{Name: "300 nested loops over 300 locals", Upload: invalid, Says: "loops nest deeper than", Make: with(over(300), nest(300, loop, count))},
		{
			Name: "loops nested just as deep as may be, over and over", Upload: costly,
			Make: with(over(1), many(120, nest(32, loop, count))),
		},
		{
			Name: "loops nested over many locals", Upload: costly,
			Make: with(over(1000), many(15, nest(32, loop, count+get(0)+brIf(3)))),
		},
		{Name: "100,000 nested blocks", Upload: invalid, Says: "blocks nest deeper than", Make: with(none, nest(100_000, block, ""))},
		{
			Name: "5,000 nested blocks that all are left from the innermost", Upload: costly,
			Make: with(over(1), nest(5_000, block, each(5_000, func(i int) string { return get(0) + brIf(i) }))),
		},
		{Name: "20,000 ifs over 1,000 locals", Upload: invalid, Says: "split it", Make: with(over(1000), many(20_000, decide(count)))},
		{Name: "ifs over 1,000 locals, just as many as may be", Upload: costly, Make: with(over(1000), many(490, decide(count)))},
		{Name: "ifs over 5,000 locals, all of them set", Upload: costly, Make: with(over(5000), many(40, decide(setAll(5000))))},
		{
			Name: "ifs with elses, one in the other", Upload: costly,
			Make: with(over(100), many(2_000, get(0)+ifThen)+many(2_000, elseThen+count+end)),
		},
		{Name: "100,000 ifs in one another", Upload: invalid, Says: "split it", Make: with(over(1), many(100_000, get(0)+ifThen)+many(100_000, end))},
		{Name: "10,000 loops", Upload: invalid, Says: "split it", Make: with(over(1), many(10_000, loop+count+get(0)+brIf(0)+end))},
		{Name: "loops in a row, just as many as may be", Upload: costly, Make: with(over(1), many(5_600, loop+count+get(0)+brIf(0)+end))},
		{Name: "a branch table with 1,000,000 targets", Upload: invalid, Says: "over the limit of", Make: with(over(1), targets(1_000_000))},
		{Name: "a branch table with 100,000 targets", Upload: invalid, Says: "over the limit of", Make: with(over(1), targets(100_000))},
		{Name: "30 branch tables with 1,000 targets", Upload: invalid, Says: "over the limit of", Make: with(over(1), many(30, targets(1_000)))},
		{Name: "a branch table with just as many targets as may be", Upload: costly, Make: with(over(1), targets(25_000))},
		{Name: "branch tables with one target", Upload: costly, Make: with(over(1), many(5_000, targets(1)))},
		{Name: "a branch table with 4,000,000,000 targets", Upload: invalid, Says: "over the limit of", Make: with(over(1), get(0)+"\x0e\x80\xa0\xb7\xdd\x0e")},
		{Name: "100,000 conditional branches over 5,000 locals", Upload: costly, Make: with(over(5000), block, many(100_000, get(0)+brIf(0)), end)},
		{Name: "20,000 conditional branches", Upload: costly, Make: with(over(1), block, many(20_000, count+get(0)+brIf(0)), end)},
		{Name: "many functions with as many blocks as may be", Upload: invalid, Says: "split it", Make: func() []byte {
			p := guest()
			for range 100 {
				p.function(toNone, over(1000), many(490, decide(count)))
			}
			return p.bytes()
		}},
		{Name: "functions with as many blocks as may be together", Upload: costly, Make: func() []byte {
			p := guest()
			for range 19 {
				p.function(toNone, over(1000), many(490, decide(count)))
			}
			return p.bytes()
		}},
		{Name: "loops that many values go round", Upload: costly, Make: wide(nest(30, "\x03\x03", zero+brIf(0)))},
		{Name: "blocks that many values go through", Upload: costly, Make: wide(many(5_000, "\x02\x03"+end))},
		{Name: "branches with many values", Upload: costly, Make: wide("\x02\x03" + many(100_000, zero+brIf(0)) + end)},
		{Name: "a branch table with many values", Upload: costly, Make: wide("\x02\x03" + zero + "\x0e" + u(20_000) + many(20_001, "\x00") + end)},
		{
			Name: "a choice of two ifs for a value, over and over", Upload: costly,
			Make: with(over(1), many(2_500, get(0)+"\x04"+i32+get(0)+elseThen+zero+end+set(0))),
		},
	}
}

// setAll sets n locals.
func setAll(n int) string { return each(n, func(i int) string { return zero + set(i) }) }

// each strings together what of returns of each number below n.
func each(n int, of func(i int) string) string {
	var all strings.Builder
	for i := range n {
		all.WriteString(of(i))
	}
	return all.String()
}

// wide returns a maker of a guest with a function whose code finds 1,000 values
// on the stack, and of which type 3 takes and gives as many.
func wide(code string) func() []byte {
	return func() []byte {
		p := guest()
		p.typed(many(1000, i32), "")
		p.typed(many(1000, i32), many(1000, i32))
		return p.function(nextType, none, each(1000, get), code, many(1000, drop)).bytes()
	}
}
