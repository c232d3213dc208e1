// Package cron is when the requests of schedules are due, and what becomes of each time
// that comes. It has no clock, and keeps and runs nothing; package cron/ticking does.
// Package capability/cron reads schedules from manifests.
package cron

import (
	"fmt"
	"strings"
	"time"
	_ "time/tzdata" // the same zones wherever the host runs

	"github.com/robfig/cron/v3"
)

// Schedule is a rule for times. Times have whole seconds.
type Schedule struct {
	Text, Zone string

	every  time.Duration      // 0 = by spec
	spec   *cron.SpecSchedule // of a wall clock
	zone   *time.Location
	hourly bool // it names no hours
}

// Bounds of what a schedule may say.
const (
	maxText  = 200
	maxZone  = 64
	maxEvery = 366 * 24 * time.Hour
)

var parser = cron.NewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor)

// Parse reads the five fields of a crontab, @hourly, @daily, @weekly, @monthly, @yearly,
// or @every and a duration. The error says what to write.
func Parse(text string) (s Schedule, err error) {
	s.Text = text
	if len(text) > maxText {
		return s, fmt.Errorf("it has %d characters, at most %d", len(text), maxText)
	}
	if strings.Contains(text, "TZ=") {
		return s, fmt.Errorf("the time zone has a key of its own, timezone")
	}
	parsed, err := parser.Parse(text)
	if err != nil {
		return s, fmt.Errorf("%.40q is not a schedule (%.80s)", text, err.Error())
	}
	switch parsed := parsed.(type) {
	case cron.ConstantDelaySchedule:
		_, length, _ := strings.Cut(text, " ")
		if d, err := time.ParseDuration(length); err != nil || d != parsed.Delay || d > maxEvery {
			return s, fmt.Errorf("%.40q is not a number of whole seconds up to 366 days", text)
		}
		s.every = parsed.Delay
	case *cron.SpecSchedule:
		const all = 1<<24 - 1
		parsed.Location = time.UTC // it is given readings of the wall clock, as if they were UTC
		s.spec, s.hourly = parsed, parsed.Hour&all == all
		if s.spec.Next(time.Unix(0, 0).UTC()).IsZero() {
			return s, fmt.Errorf("%.40q never comes: none of the months has such a day", text)
		}
	}
	return s, s.In("UTC")
}

// In has s follow the clocks of a zone of the tz database.
func (s *Schedule) In(zone string) error {
	location, err := time.LoadLocation(zone)
	if err != nil || len(zone) > maxZone || zone == "" || zone == "Local" {
		return fmt.Errorf(`%.64q is not a time zone; write e.g. "Europe/Berlin", or "UTC"`, zone)
	}
	s.Zone, s.zone = zone, location
	return nil
}

// next returns the first time of s after one, zero if there is none. Those of @every
// are seed apart from whole multiples, so that equal ones do not come together.
//
// Where clocks are set forward, a time that is skipped comes once, when they have been.
// Where they are set back, the times of named hours come in the first pass. A schedule
// that names no hours goes on by the time that passes.
func (s *Schedule) next(after time.Time, seed uint64) time.Time {
	switch {
	case s.every > 0:
		every := int64(s.every / time.Second)
		phase := int64(seed % uint64(every))
		n := after.Unix() - phase
		past := n % every
		if past < 0 {
			past += every
		}
		return time.Unix(n-past+every+phase, 0)
	case s.hourly:
		return s.passing(after)
	}
	wall := s.wall(after)
	for {
		if wall = s.nextWall(wall); wall.IsZero() {
			return time.Time{}
		}
		if at := s.first(wall); at.After(after) {
			return at
		}
	}
}

// nextWall returns the first reading of a wall clock after one that s names.
func (s *Schedule) nextWall(wall time.Time) time.Time {
	next := s.spec.Next(wall)
	if next.IsZero() {
		next = s.spec.Next(wall.AddDate(5, 0, 0)) // Spec looks so far, and a leap year may be 8 away
	}
	return next
}

// passing is next by the time that passes: while the clocks are not set, they go on
// with it.
func (s *Schedule) passing(after time.Time) time.Time {
	wall := s.wall(after)
	for {
		p := s.period(after)
		if wall = s.nextWall(wall); wall.IsZero() {
			return wall
		}
		at := p.at(wall)
		if p.end.IsZero() || at.Before(p.end) {
			return at
		}
		after = p.end
		wall = s.wall(after).Add(-time.Second)
	}
}

// wall returns what the clocks show, as if it were UTC.
func (s *Schedule) wall(t time.Time) time.Time {
	_, offset := t.In(s.zone).Zone()
	return time.Unix(t.Unix()+int64(offset), 0).UTC()
}

// first returns when the clocks show wall for the first time, or more than it.
func (s *Schedule) first(wall time.Time) time.Time {
	const most = 26 * time.Hour // that a clock is away from UTC
	for at := wall.Add(-most); ; {
		p := s.period(at)
		it := p.at(wall)
		switch {
		case it.Before(p.start):
			return p.start
		case p.end.IsZero() || it.Before(p.end):
			return it
		}
		at = p.end
	}
}

// period is a time in which clocks are not set.
type period struct {
	start, end time.Time // zero = for ever
	offset     int64     // seconds ahead of UTC
}

func (s *Schedule) period(t time.Time) period {
	t = t.In(s.zone)
	_, offset := t.Zone()
	start, end := t.ZoneBounds()
	if !end.IsZero() && !end.After(t) {
		// By a zone's rule for years to come, Go's years have 365 days: on the last day of
		// a leap year the end is over. No clock is set on that day.
		end = t.Truncate(time.Hour).Add(time.Hour)
	}
	return period{start, end, int64(offset)}
}

// at returns when the clocks of the period show wall.
func (p period) at(wall time.Time) time.Time { return time.Unix(wall.Unix()-p.offset, 0) }
