package cron_test

import (
	"strings"
	"testing"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	capcron "github.com/wasmoor/wasmoor/host/internal/capability/cron"
	"github.com/wasmoor/wasmoor/host/internal/cron"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
)

const head = "manifest_version = 1\nname = \"a\"\n"

func parse(text string) (*manifest.Manifest, error) {
	return manifest.Parse([]byte(text), "f.toml", capability.List{capcron.Unit()}.Sections())
}

func TestRead(t *testing.T) {
	m, err := parse(head + `
[[route]]
pattern = "POST /tasks/{task}"
[[cron]]
schedule = "@every 90s"
request = "POST /tasks/tidy"
[[cron]]
name = "report"
schedule = "0 4 * * MON"
timezone = "Asia/Tokyo"
request = "POST /tasks/report"
catch_up = "all"
overlap = "skip"
attempts = 3
deadline = "10m"
`)
	if err != nil {
		t.Fatal(err)
	}
	list := capcron.Of(m)
	if len(list) != 2 {
		t.Fatalf("%d schedules", len(list))
	}
	tidy, ok := list.Find("tasks-tidy")
	if !ok || tidy.CatchUp != cron.CatchUpLast || tidy.Attempts != 1 || tidy.Schedule.Zone != "UTC" || tidy.Request.Route != 0 || tidy.Request.Params[0].Value != "tidy" {
		t.Errorf("tasks-tidy is %+v", tidy)
	}
	report, ok := list.Find("report")
	if !ok || report.CatchUp != cron.CatchUpAll || report.Attempts != 3 || report.Deadline != 10*time.Minute || report.Schedule.Zone != "Asia/Tokyo" {
		t.Errorf("report is %+v", report)
	}
	if _, ok := list.Find("other"); ok {
		t.Error("a schedule that is not there is found")
	}
	if closed := m.Closed(); len(closed) != 1 || closed[0] != "POST /tasks/{task}" {
		t.Errorf("clients do not reach %q", closed)
	}
	if ask := m.Ask(); len(ask.Terms) > 0 {
		t.Errorf("it asks for %v", ask.Terms)
	}
}

func TestReadRefuses(t *testing.T) {
	const ok = "schedule = \"@daily\"\nrequest = \"POST /a\"\n"
	for name, c := range map[string]struct{ text, want string }{
		"a table":             {"[cron]\nschedule = \"@daily\"\n", "f.toml:3:2: cron: it must be a list of tables, not a table; write [[cron]]"},
		"no schedule":         {"[[cron]]\nrequest = \"POST /a\"\n", `cron[0].schedule: it is missing; write e.g. schedule = "*/5 * * * *", or "@every 1h"`},
		"no request":          {"[[cron]]\nname = \"a\"\nschedule = \"@daily\"\n", "cron[0].request: it is missing"},
		"no schedule at all":  {"[[cron]]\nschedule = \"0 0 30 2 *\"\nrequest = \"POST /a\"\n", `f.toml:4:1: cron[0].schedule: "0 0 30 2 *" never comes: none of the months has such a day`},
		"seconds":             {"[[cron]]\nschedule = \"* * * * * *\"\nrequest = \"POST /a\"\n", "expected exactly 5 fields"},
		"zone":                {"[[cron]]\n" + ok + "timezone = \"Berlin\"\n", `cron[0].timezone: "Berlin" is not a time zone; write e.g. "Europe/Berlin", or "UTC"`},
		"zone in schedule":    {"[[cron]]\nschedule = \"CRON_TZ=UTC @daily\"\nrequest = \"POST /a\"\n", "the time zone has a key of its own, timezone"},
		"unknown key":         {"[[cron]]\n" + ok + "retries = 1\n", "cron[0].retries: unknown key"},
		"catch_up":            {"[[cron]]\n" + ok + "catch_up = \"some\"\n", `cron[0].catch_up: "some" is unknown; write "last", "all" or "none"`},
		"overlap":             {"[[cron]]\n" + ok + "overlap = \"queue\"\n", `cron[0].overlap: "queue" is unknown; write "skip"`},
		"attempts":            {"[[cron]]\n" + ok + "attempts = 11\n", "cron[0].attempts: 11 is above the maximum of 10"},
		"deadline":            {"[[cron]]\n" + ok + "deadline = \"16m\"\n", "cron[0].deadline: 16m0s is above the maximum of 15m0s"},
		"the same name":       {"[[cron]]\n" + ok + "[[cron]]\n" + ok, `cron[1].name: another schedule is "a" already; write a name of its own`},
		"a name":              {"[[cron]]\n" + ok + "name = \"Tidy up\"\n", "cron[0].name: a schedule's name has 1 to 63 characters"},
		"a path that is none": {"[[cron]]\nschedule = \"@daily\"\nrequest = \"POST /\"\n", `cron[0].name: it is missing, and the path of the request makes none; write e.g. name = "cleanup"`},
		"no route":            {"[[route]]\npattern = \"GET /\"\n[[cron]]\n" + ok, "cron[0].request: no route of the manifest answers POST /a"},
		"query":               {"[[cron]]\nname = \"a\"\nschedule = \"@daily\"\nrequest = \"POST /a?b=c\"\n", "cron[0].request: it has a query"},
		"too many":            {strings.Repeat("[[cron]]\n"+ok, 33), "cron: 33 schedules are above the maximum of 32"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parse(head + c.text)
			if fault.CodeOf(err) != fault.Invalid || !strings.Contains(fault.MessageOf(err), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
