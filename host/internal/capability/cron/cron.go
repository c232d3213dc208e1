// Package cron is the capability to be run by a schedule: the tables [[cron]] of a
// manifest. It has no host functions; package cron/ticking has the requests made. Package
// capabilities imports it.
package cron

import (
	"regexp"
	"slices"
	"strings"

	"github.com/wasmoor/wasmoor/host/internal/capability"
	"github.com/wasmoor/wasmoor/host/internal/cron"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// Name is that of the capability.
const Name = "cron"

// Unit returns the capability. Whoever declares a schedule has it: it takes what requests
// of clients take, and reaches nothing outside the plugin.
func Unit() capability.Unit {
	return capability.Unit{
		Name: Name, List: true, Read: read,
		Keys: []string{"schedule", "name", "timezone", "request", "catch_up", "overlap", "attempts", "deadline"},
	}
}

// Most of what a manifest may say.
const (
	MaxCrons    = 32
	MaxAttempts = 10
)

// Settings are the schedules of a manifest, in the order of the text.
type Settings []Declared

// Declared is a schedule, and the request that comes by it.
type Declared struct {
	cron.Cron
	Request manifest.Request
}

// Of returns the schedules of a manifest.
func Of(m *manifest.Manifest) Settings {
	s, _ := m.Settings(Name).(Settings)
	return s
}

// Find returns a schedule by its name.
func (s Settings) Find(name string) (Declared, bool) {
	i := slices.IndexFunc(s, func(d Declared) bool { return d.Name == name })
	if i < 0 {
		return Declared{}, false
	}
	return s[i], true
}

var nameForm = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,62}$`)

// read reads [[cron]].
func read(root manifest.Table) (any, plugin.Terms) {
	s := Settings{}
	tables := root.Tables(Name, Unit().Keys...)
	if len(tables) > MaxCrons {
		root.Fail(Name, "%d schedules are above the maximum of %d", len(tables), MaxCrons)
		return s, nil
	}
	for _, t := range tables {
		d := declared(t)
		if _, twice := s.Find(d.Name); twice && d.Name != "" {
			t.Fail("name", "another schedule is %q already; write a name of its own", d.Name)
		}
		s = append(s, d)
	}
	return s, nil
}

func declared(t manifest.Table) Declared {
	d := Declared{Cron: cron.Cron{CatchUp: cron.CatchUpLast, Attempts: 1}}
	text, ok := t.String("schedule")
	var err error
	switch {
	case !t.Has("schedule"):
		t.Fail("schedule", `it is missing; write e.g. schedule = "*/5 * * * *", or "@every 1h"`)
	case ok:
		if d.Schedule, err = cron.Parse(text); err != nil {
			t.Fail("schedule", `%s; write e.g. "*/5 * * * *" or "@every 1h"`, err)
		}
	}
	if zone, ok := t.String("timezone"); ok {
		if err := d.Schedule.In(zone); err != nil {
			t.Fail("timezone", "%s", err)
		}
	}
	d.Request = t.Request("request", "POST /tasks/cleanup")
	d.Name = nameOf(t, d.Request.Path)
	if text, ok := t.String("catch_up"); ok {
		switch d.CatchUp = cron.CatchUp(text); d.CatchUp {
		case cron.CatchUpNone, cron.CatchUpLast, cron.CatchUpAll:
		default:
			t.Fail("catch_up", `%.40q is unknown; write "last", "all" or "none"`, text)
		}
	}
	if text, ok := t.String("overlap"); ok && text != "skip" {
		t.Fail("overlap", `%.40q is unknown; write "skip": what comes while a run goes on is skipped`, text)
	}
	if n, ok := t.Count("attempts", MaxAttempts); ok {
		d.Attempts = int(n)
	}
	d.Deadline, _ = t.Duration("deadline", cron.MaxDeadline)
	return d
}

// nameOf returns the name of a schedule: what its table says, or the path of the request
// with dashes.
func nameOf(t manifest.Table, path string) string {
	name, set := t.String("name")
	if !t.Has("name") {
		name = strings.ReplaceAll(strings.Trim(path, "/"), "/", "-")
	}
	switch {
	case nameForm.MatchString(name):
		return name
	case set:
		t.Fail("name", "a schedule's name has 1 to 63 characters of a-z, 0-9, _ and -, and begins with none of the last two")
	case !t.Has("name") && path != "":
		t.Fail("name", `it is missing, and the path of the request makes none; write e.g. name = "cleanup"`)
	}
	return ""
}
