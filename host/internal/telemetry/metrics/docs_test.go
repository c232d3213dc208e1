package metrics_test

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/wasmoor/wasmoor/host/internal/telemetry/metrics"
)

const docs = "../../../docs/"

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(docs + file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// alertExpressions returns the expressions of the alert rules.
func alertExpressions(t *testing.T) (list []string) {
	t.Helper()
	for _, found := range regexp.MustCompile(`(?m)^ +expr: (.*)$`).FindAllStringSubmatch(read(t, "monitoring/alerts.yaml"), -1) {
		list = append(list, found[1])
	}
	return list
}

// dashboardExpressions returns those of the panels.
func dashboardExpressions(t *testing.T) (list []string) {
	t.Helper()
	var dashboard struct {
		Panels []struct {
			Type    string
			Title   string
			Targets []struct{ Expr string }
		}
		Templating struct {
			List []struct{ Definition string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "monitoring/dashboard.json")), &dashboard); err != nil {
		t.Fatal(err)
	}
	for _, panel := range dashboard.Panels {
		if panel.Type != "row" && len(panel.Targets) == 0 {
			t.Errorf("the panel %q shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			list = append(list, target.Expr)
		}
	}
	for _, variable := range dashboard.Templating.List {
		if query, ok := strings.CutPrefix(variable.Definition, "label_values("); ok {
			name, _, _ := strings.Cut(query, ",")
			list = append(list, name)
		}
	}
	return list
}

var (
	selector = regexp.MustCompile(`\b((?:wasmoor|http|process|go)_[a-z_]+)(\{[^}]*\})?`)
	matcher  = regexp.MustCompile(`([a-z_]+)(=~|!~|!=|=)"([^"]*)"`)
	grouping = regexp.MustCompile(`\b(?:by|ignoring|on) ?\(([^)]*)\)`)
)

// TestExpressions: what the alert rules and the dashboard ask for is there, with the
// labels that they select and group by, and some series has the values.
func TestExpressions(t *testing.T) {
	series := strings.Split(scrape(t, sources(plugin("demo", 2, nil))), "\n")
	for i := range series { // a request that failed, too
		series[i] = strings.Replace(series[i], `code="200"`, `code="500"`, 1)
	}
	alerts, panels := alertExpressions(t), dashboardExpressions(t)
	if len(alerts) < 15 || len(panels) < 35 {
		t.Fatalf("%d alerts and %d panels: they are not all found", len(alerts), len(panels))
	}
	used := map[string]bool{}
	for _, expr := range append(alerts, panels...) {
		labels := []string{"instance", "job", "le"} // that Prometheus adds, or that buckets have
		for _, found := range selector.FindAllStringSubmatch(expr, -1) {
			name := found[1]
			used[family(name)] = true
			for _, m := range metrics.Metrics() {
				if m.Name == family(name) {
					labels = append(labels, m.Labels...)
				}
			}
			if !slices.ContainsFunc(series, func(line string) bool { return selects(line, name, found[2]) }) {
				t.Errorf("nothing is selected by %s, in %s", found[0], expr)
			}
		}
		for _, found := range grouping.FindAllStringSubmatch(expr, -1) {
			for label := range strings.SplitSeq(found[1], ",") {
				if label = strings.TrimSpace(label); !slices.Contains(labels, label) {
					t.Errorf("the label %q is that of no metric in %s", label, expr)
				}
			}
		}
	}
	for _, m := range metrics.Metrics() {
		if !used[m.Name] {
			t.Errorf("neither the dashboard nor an alert shows %s", m.Name)
		}
	}
}

// family is the metric that a series is a part of.
func family(name string) string {
	for _, m := range metrics.Metrics() {
		for _, end := range []string{"_bucket", "_sum", "_count"} {
			if m.Kind == metrics.Histogram && name == m.Name+end {
				return m.Name
			}
		}
	}
	return name
}

// selects reports whether a selector selects the series of a line.
func selects(line, name, matchers string) bool {
	rest, ok := strings.CutPrefix(line, name)
	if !ok || rest == "" || rest[0] != '{' && rest[0] != ' ' {
		return false
	}
	for _, m := range matcher.FindAllStringSubmatch(matchers, -1) {
		if m[1] == "instance" || strings.HasPrefix(m[3], "$") {
			continue
		}
		value := regexp.MustCompile(`[{,]` + m[1] + `="([^"]*)"`).FindStringSubmatch(rest)
		if value == nil || m[2] == "=" && value[1] != m[3] || m[2] == "=~" && !regexp.MustCompile("^("+m[3]+")$").MatchString(value[1]) {
			return false
		}
	}
	return true
}

// TestOperatingListsTheMetrics: its table is the contract in words. -update writes it.
func TestOperatingListsTheMetrics(t *testing.T) {
	var table strings.Builder
	table.WriteString("| metric | type | labels | what it is |\n|---|---|---|---|\n")
	for _, m := range metrics.Metrics() {
		labels := ""
		if len(m.Labels) > 0 {
			labels = "`" + strings.Join(m.Labels, "`, `") + "`"
		}
		fmt.Fprintf(&table, "| `%s` | %s | %s | %s |\n", m.Name, m.Kind, labels, strings.TrimSuffix(m.Help, "."))
	}
	text := read(t, "OPERATING.md")
	start := strings.Index(text, "| metric | type |")
	end := start + strings.Index(text[max(start, 0):], "|\n\n") + 2
	if start < 0 || end < start {
		t.Fatal("OPERATING.md has no table of metrics")
	}
	if *update {
		if err := os.WriteFile(docs+"OPERATING.md", []byte(text[:start]+table.String()+text[end:]), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	if diff := cmp.Diff(table.String(), text[start:end]); diff != "" {
		t.Errorf("OPERATING.md has another table; -update writes it (-want +got):\n%s", diff)
	}
}
