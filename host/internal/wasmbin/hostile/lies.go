package hostile

import (
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/abi"
)

// specimen writes a module with something of everything, section by section,
// which serves requests as long as the writer is honest.
func specimen(w *writer) []string {
	function := func(what, locals string, code ...string) string {
		return w.sized(what, locals+strings.Join(code, "")+end)
	}
	entry := func(name, kind string) string { return w.sized("export's name", name) + kind }
	constant := number(8) + end
	return []string{
		w.section(idType, "type", w.vec("types",
			funcType("", i32), funcType("", ""),
			"\x60"+w.vec("parameters", i32, i32)+w.vec("results", i64))),
		w.section(idImport, "import", w.vec("imports",
			w.sized("module's name", abi.Module)+w.sized("import's name", abi.FnResponseWrite)+"\x00\x02")),
		w.section(idFunction, "function", w.vec("functions", u(toI32), u(toNone), u(toNone))),
		w.section(idTable, "table", w.vec("tables", funcRef+"\x01\x04\x08", externRef+"\x00\x01")),
		w.section(idMemory, "memory", w.vec("memories", "\x01\x01\x02")),
		w.section(idGlobal, "global", w.vec("globals", i32+"\x01"+constant, i64+"\x00\x42\x07"+end)),
		w.section(idExport, "export", w.vec("exports",
			entry(abi.ExportMemory, "\x02\x00"), entry(abi.ExportHandle, "\x00\x01"), entry(abi.ExportInitialize, "\x00\x02"))),
		w.section(idStart, "start", "\x03"),
		w.section(idElement, "element", w.vec("element segments",
			"\x00"+zero+end+w.vec("elements", "\x01", "\x02"),
			"\x05"+funcRef+w.vec("element expressions", "\xd2\x01"+end, "\xd0\x70"+end))),
		w.section(idDataCount, "data count", w.number("count of data segments, ahead", 2)),
		w.section(idCode, "code", w.vec("bodies",
			function("body", w.vec("groups of locals", group(2, i32), group(1, f64)),
				block, zero, "\x0e"+w.vec("branch targets", "\x00", "\x00")+"\x00", end,
				zero, number(1), zero, "\x1c"+w.vec("types of a select", i32), drop,
				number(8), number(2), call(0), drop, zero),
			function("body", none), function("body", none))),
		w.section(idData, "data", w.vec("data segments", "\x00"+constant+w.sized("data", "hi"), "\x01"+w.sized("passive data", "there"))),
		w.section(idCustom, "custom", w.sized("custom section's name", "producers"), "nobody"),
	}
}

func join(sections []string) []byte { return []byte(header + strings.Join(sections, "")) }

// marks are the names of the numbers in the specimen, in order.
func marks() []string {
	var names []string
	specimen(&writer{lie: func(what string, n int) string {
		if !slices.Contains(names, what) {
			names = append(names, what)
		}
		return u(n)
	}})
	return names
}

// bent returns the specimen with the first number of that name written by
// another.
func bent(name string, as func(n int) string) []byte {
	first := true
	return join(specimen(&writer{lie: func(what string, n int) string {
		if what != name || !first {
			return u(n)
		}
		first = false
		return as(n)
	}}))
}

// harmless are lies that leave a valid module.
var harmless = map[string]bool{
	"count of branch targets: one less":         true,
	"length of custom section's name: one more": true,
	"length of custom section's name: one less": true,
}

// lies are modules of which one number is wrong.
func lies() []Module {
	var all []Module
	for _, name := range marks() {
		for _, lie := range []struct {
			how string
			as  func(n int) string
		}{
			{"4,294,967,295", func(int) string { return "\xff\xff\xff\xff\x0f" }},
			{"one more", func(n int) string { return u(n + 1) }},
			{"one less", func(n int) string { return u(n - 1) }},
			{"six bytes long", func(n int) string { return padded(n, 6) }},
			{"of 33 bits", func(int) string { return "\x80\x80\x80\x80\x10" }},
			{"without an end", func(int) string { return many(16, "\xff") }},
		} {
			if harmless[name+": "+lie.how] {
				continue
			}
			all = append(all, Module{
				Name: name + ": " + lie.how, Upload: invalid,
				Make: func() []byte { return bent(name, lie.as) },
			})
		}
	}
	return all
}

// padded encodes n in so many bytes.
func padded(n, size int) string {
	b := []byte(u(n) + many(size, "\x00"))[:size]
	for i := range size - 1 {
		b[i] |= 0x80
	}
	return string(b)
}

// cuts are modules that end ahead of, within and behind a number.
func cuts() []Module {
	const mark = "here it ends"
	var all []Module
	for _, name := range marks() {
		for _, cut := range []struct {
			where  string
			append func(n int) string
		}{
			{"ahead of the ", func(int) string { return "" }},
			{"within the ", func(int) string { return "\x80" }},
			{"behind the ", u},
		} {
			all = append(all, Module{
				Name: cut.where + name, Upload: invalid,
				Make: func() []byte {
					whole := string(bent(name, func(n int) string { return cut.append(n) + mark }))
					before, _, _ := strings.Cut(whole, mark)
					return []byte(before)
				},
			})
		}
	}
	return all
}

// sections are modules whose sections are not where they belong.
func sections() []Module {
	var all []Module
	change := func(name string, change func(list []string) []string) {
		all = append(all, Module{Name: name, Upload: invalid, Make: func() []byte { return join(change(specimen(&writer{}))) }})
	}
	names := []string{"type", "import", "function", "table", "memory", "global", "export", "start", "element", "data count", "code", "data"}
	for i, name := range names {
		change(name+": twice", func(list []string) []string { return slices.Insert(list, i, list[i]) })
		change(name+": with a byte more", func(list []string) []string {
			id, rest := list[i][0], list[i][2:]
			list[i] = section(id, rest, "\x00")
			return list
		})
		if i > 0 {
			change(name+": too early", func(list []string) []string {
				list[i-1], list[i] = list[i], list[i-1]
				return list
			})
		}
		switch name {
		case "start", "data", "data count", "element", "global": // nothing of these is referred to
		default:
			change(name+": missing", func(list []string) []string { return slices.Delete(list, i, i+1) })
		}
	}
	change("1,001 custom sections", func(list []string) []string { return append(list, many(1_001, custom("x", ""))) })
	change("the unknown section 13", func(list []string) []string { return append(list, section(13, "\x00")) })
	change("a custom section without a name", func(list []string) []string { return append(list, section(idCustom)) })
	return all
}
