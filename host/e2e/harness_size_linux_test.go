package e2e

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"text/tabwriter"
	"time"
)

// size is what a process has.
type size struct {
	rss, own, files, shared int // KiB in memory: all, its own, of files, shared
	table                   int // KiB of rss that the store's table of new records takes
	mappings, code, images  int // code: machine code of modules; images: their memory
	descriptors, threads    int
}

// settled is the KiB in memory without what the store keeps of the records written
// last, up to bounds of its own: its table, as much again and a little more of it
// in the heap, and half as much of new keys to find conflicts by.
func (s size) settled() int { return s.rss - 3*s.table }

// moduleCode is how many mappings the machine code of a module is.
const moduleCode = 3

// within reports that a process has what it had. Of machine code it may have one
// module's more, to which something idle still points. Of memory and mappings it
// may have 5 % more, and in a normal run, which is short, 12 MiB and 8 mappings:
// what Go's runtime makes of some garbage is more than that. A thread more has
// its stack and its arena, each with a guard.
func (s size) within(start size) bool {
	threads := max(s.threads-start.threads, 0)
	memory, mappings := often(12<<10, start.settled()/20), often(8, start.mappings/20)
	return s.settled() <= start.settled()+memory && s.mappings <= start.mappings+mappings+moduleCode+4*threads &&
		s.code <= start.code+moduleCode && s.images <= start.images && s.descriptors <= start.descriptors+connections
}

// connections are those that clients of a test may keep open at rest. A deploy that
// leaves a descriptor behind leaves more.
const connections = 4

// moved reports that a process has changed more than one at rest does.
func (s size) moved(from size) bool {
	return max(s.rss-from.rss, from.rss-s.rss) > 256 || s.code != from.code || s.images != from.images
}

// point is a size at a time.
type point struct {
	after time.Duration
	name  string
	at    size
}

func tableOf(series []point) string {
	var text strings.Builder
	w := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "after\t\tKiB\town\tof files\tshared\tof table\tmappings\tof code\tof images\tdescriptors\tthreads\t")
	for _, p := range series {
		s := p.at
		fmt.Fprintf(w, "%v\t%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t\n", p.after.Round(time.Second), p.name,
			s.rss, s.own, s.files, s.shared, s.table, s.mappings, s.code, s.images, s.descriptors, s.threads)
	}
	_ = w.Flush() // to memory
	return text.String()
}

func sizeOf(t testing.TB, s *server) (z size) {
	t.Helper()
	dir := fmt.Sprintf("/proc/%d/", s.cmd.Process.Pid)
	status := readLines(t, dir+"status")
	z.rss, z.own = number(status, "VmRSS:"), number(status, "RssAnon:")
	z.files, z.shared = number(status, "RssFile:"), number(status, "RssShmem:")
	z.threads = number(status, "Threads:")
	z.addMappings(readLines(t, dir+"smaps"))
	entries, err := os.ReadDir(dir + "fd")
	if err != nil {
		t.Fatal(err)
	}
	z.descriptors = len(entries)
	return z
}

func (s *size) addMappings(smaps []string) {
	journal := false
	for _, line := range smaps {
		fields := strings.Fields(line)
		if !strings.HasSuffix(fields[0], ":") {
			journal = strings.HasSuffix(line, ".mem")
			s.addMapping(line, fields)
		} else if n, err := strconv.Atoi(fields[1]); err == nil && journal && fields[0] == "Rss:" {
			s.table += n
		}
	}
}

func (s *size) addMapping(line string, fields []string) {
	s.mappings++
	if fields[1] == "r-xp" && len(fields) == 5 {
		s.code++
	}
	if strings.Contains(line, "wasmoor-image") {
		s.images++
	}
}

func readLines(t testing.TB, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// number returns the number behind a name.
func number(lines []string, name string) int {
	for _, line := range lines {
		if rest, ok := strings.CutPrefix(line, name); ok {
			n, _ := strconv.Atoi(strings.Fields(rest)[0])
			return n
		}
	}
	return 0
}
