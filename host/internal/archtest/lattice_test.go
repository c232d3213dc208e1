package archtest

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

// table reads rows of "key fields # reason; reason", and wants as many reasons as
// want says for the fields.
func table(t *testing.T, text, arrow string) map[string][]string {
	t.Helper()
	rows := map[string][]string{}
	for line := range strings.Lines(strings.TrimSpace(text)) {
		row, reasons, _ := strings.Cut(line, "#")
		fields := strings.Fields(row)
		if arrow != "" && (len(fields) < 2 || fields[1] != arrow) {
			t.Fatalf("row %q is not: name %s fields # reasons", line, arrow)
		}
		if arrow != "" {
			fields = slices.Delete(fields, 1, 2)
		}
		if _, twice := rows[fields[0]]; twice {
			t.Errorf("%s has two rows", fields[0])
		}
		rows[fields[0]] = fields[1:]
		wantReasons(t, fields[0], reasons, len(fields)-1, arrow != "")
	}
	return rows
}

// wantReasons wants a reason for each of n fields, or one for the row.
func wantReasons(t *testing.T, row, reasons string, n int, each bool) {
	t.Helper()
	var given int
	for reason := range strings.SplitSeq(reasons, ";") {
		if strings.TrimSpace(reason) != "" {
			given++
		}
	}
	if each && given != n {
		t.Errorf("row %s has %d arrows and %d reasons: write one for each after #, in their order, with ; between", row, n, given)
	}
	if !each && given != 1 {
		t.Errorf("row %s has %d reasons, want one after #", row, given)
	}
}

// hostDir maps a directory to its name in the lattice.
func hostDir(dir string) (string, bool) {
	switch {
	case dir == "host":
		return ".", true
	case strings.HasPrefix(dir, "host/internal/"):
		return strings.TrimPrefix(dir, "host/internal/"), true
	case strings.HasPrefix(dir, "host/"):
		return strings.TrimPrefix(dir, "host/"), true
	}
	return "", false
}

// closure returns what each package of host may import of host.
func closure(direct map[string][]string) map[string]map[string]bool {
	all := map[string]map[string]bool{}
	var visit func(string) map[string]bool
	visit = func(dir string) map[string]bool {
		if got, ok := all[dir]; ok {
			return got
		}
		set := map[string]bool{}
		all[dir] = set
		for _, next := range direct[dir] {
			set[next] = true
			maps.Copy(set, visit(next))
		}
		return set
	}
	for dir := range direct {
		visit(dir)
	}
	return all
}

// hostImports returns what each package of host with production code imports of
// host, by their names in the lattice.
func hostImports(t *testing.T, pkgs map[string]*pkg) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	for dir, p := range pkgs {
		name, ok := hostDir(dir)
		if !ok || len(p.files) == 0 {
			continue
		}
		all[name] = map[string]bool{}
		for imp := range p.imports {
			rel, isOwn := own(imp)
			if !isOwn || under(rel, "abi") {
				continue
			}
			target, isHost := hostDir(rel)
			if !isHost {
				t.Errorf("%s imports %s: host runs plugins' .wasm and never imports their Go code", dir, imp)
				continue
			}
			all[name][target] = true
		}
	}
	return all
}

func TestLattice(t *testing.T) {
	_, pkgs := tree(t)
	rows := table(t, lattice, "->")
	allowed := closure(rows)
	imports := hostImports(t, pkgs)
	for name, targets := range imports {
		if _, ok := rows[name]; !ok {
			t.Errorf("package %s has no row in the lattice: add one that says what it may import, and why", name)
			continue
		}
		for target := range targets {
			if !allowed[name][target] {
				t.Errorf("%s imports %s, which the lattice does not allow", name, target)
			}
		}
	}
	for name := range rows {
		if _, ok := imports[name]; !ok {
			t.Errorf("the lattice has a row for %s, which does not exist", name)
		}
		if allowed[name][name] {
			t.Errorf("the lattice has a cycle through %s", name)
		}
	}
}

func TestLatticeHasNoUnusedArrow(t *testing.T) {
	_, pkgs := tree(t)
	rows := table(t, lattice, "->")
	allowed := closure(rows)
	imports := hostImports(t, pkgs)
	for name, targets := range rows {
		for _, target := range targets {
			if !imports[name][target] {
				t.Errorf("the lattice allows %s -> %s, which %s does not import: remove the arrow", name, target, name)
			}
			for _, other := range targets {
				if other != target && allowed[other][target] {
					t.Errorf("the lattice allows %s -> %s twice: %s -> %s implies it, remove the former", name, target, name, other)
				}
			}
		}
	}
}

// ownerOf returns the dependency's row that an import belongs to.
func ownerOf(imp string, rows map[string][]string) (string, bool) {
	for prefix := range rows {
		if under(imp, prefix) {
			return prefix, true
		}
	}
	return "", false
}

func TestOneOwnerPerDependency(t *testing.T) {
	_, pkgs := tree(t)
	rows := table(t, owners, "")
	used := map[string]map[string]bool{}
	for dir, p := range pkgs {
		name, ofHost := hostDir(dir)
		if !ofHost {
			continue // TestGuestSideImportsNothingOfTheHost has rules of its own
		}
		for imp := range p.foreign() {
			prefix, ok := ownerOf(imp, rows)
			if !ok {
				t.Errorf("%s imports %s, which nobody owns: add a row to owners that says which package may, and why", dir, imp)
				continue
			}
			if used[prefix] == nil {
				used[prefix] = map[string]bool{}
			}
			switch owner := slices.IndexFunc(rows[prefix], func(owner string) bool { return under(name, owner) }); {
			case p.helper() || !p.imports[imp]:
				used[prefix]["tests"] = true
			case owner < 0:
				t.Errorf("%s imports %s, which is for %s", dir, imp, strings.Join(rows[prefix], ", "))
			default:
				used[prefix][rows[prefix][owner]] = true
			}
		}
	}
	for prefix, owners := range rows {
		for _, owner := range owners {
			if !used[prefix][owner] {
				t.Errorf("owners lets %s import %s, which it does not: remove it", owner, prefix)
			}
		}
	}
}
