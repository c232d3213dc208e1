package cron

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "empty spec",
		"* * * *":                               "expected exactly 5 fields",
		"0 * * * * *":                           "expected exactly 5 fields",
		"60 * * * *":                            "above maximum",
		"*/0 * * * *":                           "positive number",
		"0 0 30 2 *":                            "never comes",
		"0 0 31 4,6,9,11 *":                     "never comes",
		"@reboot":                               "unrecognized descriptor",
		"@every":                                "unrecognized descriptor",
		"@every 0s":                             "whole seconds",
		"@every -1m":                            "whole seconds",
		"@every 500ms":                          "whole seconds",
		"@every 1500ms":                         "whole seconds",
		"@every 9000h":                          "366 days",
		"TZ=":                                   "a key of its own",
		"CRON_TZ=Asia/Tokyo @daily":             "a key of its own",
		strings.Repeat("1,", 100) + "1 * * * *": "at most 200",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Parse(%q): %v; want %q", text, err, want)
		}
	}
	var s Schedule
	for _, zone := range []string{"", "Local", "Mars/Olympus", "../../etc/passwd", "Europe/Berlin\x00", strings.Repeat("x", 200)} {
		if err := s.In(zone); err == nil {
			t.Errorf("In(%q): no error", zone)
		}
	}
}

func parsed(t interface{ Fatal(...any) }, text, zone string) Schedule {
	s, err := Parse(text)
	if err == nil {
		err = s.In(zone)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestNext: what it comes to on the days that clocks are set, and around leap days.
func TestNext(t *testing.T) {
	for _, c := range []struct{ text, zone, after, want string }{
		{"30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:30:00Z"}, // 2:30 is skipped: at 3:00, once
		{"*/10 2 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
		{"0 2,3 * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T01:00:00Z 2026-03-30T00:00:00Z"},
		{"30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z", "2026-10-25T00:30:00Z 2026-10-26T01:30:00Z"}, // twice 2:30: in the first pass
		{"30 * * * *", "Europe/Berlin", "2026-10-25T00:00:00Z", "2026-10-25T00:30:00Z 2026-10-25T01:30:00Z 2026-10-25T02:30:00Z"},
		{"30 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T00:30:00Z 2026-03-29T01:30:00Z"},
		{"15 2 * * *", "Australia/Lord_Howe", "2026-10-03T12:00:00Z", "2026-10-03T15:30:00Z 2026-10-04T15:15:00Z"},               // by half an hour
		{"0 0 * * *", "America/Havana", "2026-03-07T12:00:00Z", "2026-03-08T05:00:00Z 2026-03-09T04:00:00Z"},                     // there is no midnight
		{"0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00Z", "2011-12-29T22:00:00Z 2011-12-30T10:00:00Z 2011-12-30T22:00:00Z"}, // nor the 30th
		{"0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"@every 90m", "UTC", "1969-12-31T20:00:00Z", "1969-12-31T21:00:00Z 1969-12-31T22:30:00Z 1970-01-01T00:00:00Z"},
		{"0 9 * * MON-FRI", "Asia/Kolkata", "2026-11-27T04:00:00Z", "2026-11-30T03:30:00Z"},
	} {
		s := parsed(t, c.text, c.zone)
		at, err := time.Parse(time.RFC3339, c.after)
		if err != nil {
			t.Fatal(err)
		}
		for want := range strings.SplitSeq(c.want, " ") {
			at = s.next(at, 0)
			if got := at.UTC().Format(time.RFC3339); got != want {
				t.Errorf("%s in %s after %s: %s, want %s", c.text, c.zone, c.after, got, want)
				break
			}
		}
	}
}

var zones = []string{
	"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "America/Havana", "America/St_Johns", "Australia/Lord_Howe", "Africa/Casablanca",
	"Africa/Cairo", "Asia/Kolkata", "Asia/Beirut", "Asia/Gaza", "Pacific/Apia", "Pacific/Chatham", "Antarctica/Troll", "America/Nuuk",
}

// TestNextAgainstMinutes compares with a walk from minute to minute that looks at the
// clock.
func TestNextAgainstMinutes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		zone := rapid.SampledFrom(zones).Draw(t, "zone")
		minutes := rapid.SliceOfNDistinct(rapid.IntRange(0, 59), 1, 4, rapid.ID[int]).Draw(t, "minutes")
		hours := rapid.SliceOfNDistinct(rapid.IntRange(0, 23), 1, 24, rapid.ID[int]).Draw(t, "hours")
		s := parsed(t, fmt.Sprintf("%s %s * * *", list(minutes), list(hours)), zone)
		location := s.zone

		// Close to a change of the clocks, where there is one.
		around := time.Unix(rapid.Int64Range(time.Date(2005, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2045, 1, 1, 0, 0, 0, 0, time.UTC).Unix()).Draw(t, "around"), 0)
		if _, end := around.In(location).ZoneBounds(); !end.IsZero() {
			around = end
		}
		from := around.Add(-time.Duration(rapid.IntRange(0, 30*60).Draw(t, "before")) * time.Minute).Truncate(time.Minute)

		named := func(wall time.Time) bool {
			return slices.Contains(minutes, wall.Minute()) && slices.Contains(hours, wall.Hour())
		}
		read := func(at time.Time) time.Time {
			_, offset := at.In(location).Zone()
			return at.UTC().Add(time.Duration(offset) * time.Second)
		}
		var want []time.Time
		var most time.Time // that the clock has shown before
		for at := from.Add(-26 * time.Hour); !at.After(from); at = at.Add(time.Minute) {
			if w := read(at); w.After(most) {
				most = w
			}
		}
		for at := from.Add(time.Minute); at.Before(from.Add(40 * time.Hour)); at = at.Add(time.Minute) {
			w := read(at)
			comes := named(w)
			if len(hours) < 24 {
				comes = false // the first time that it shows so much
				for skipped := most.Add(time.Minute); !skipped.After(w); skipped = skipped.Add(time.Minute) {
					comes = comes || named(skipped)
				}
			}
			if w.After(most) {
				most = w
			}
			if comes {
				want = append(want, at)
			}
		}
		at := from
		for i := range want {
			if at = s.next(at, 0); !at.Equal(want[i]) {
				t.Fatalf("%s in %s: %s, want %s", s.Text, zone, at.In(location), want[i].In(location))
			}
		}
	})
}

// TestLeapYearsEnd goes over the last day of leap years, which Go's bounds of a zone's
// periods leave out.
func TestLeapYearsEnd(t *testing.T) {
	for _, zone := range zones {
		for _, text := range []string{"30 * * * *", "30 1,13 * * *", "30 0 31 12 *"} {
			for _, year := range []int{2028, 2040, 2096} {
				s := parsed(t, text, zone)
				at, end := time.Date(year, 12, 29, 0, 0, 0, 0, s.zone), time.Date(year+1, 1, 3, 0, 0, 0, 0, s.zone)
				var got, want []time.Time
				for next := s.next(at, 0); next.Before(end); next = s.next(next, 0) {
					got = append(got, next)
				}
				for day := at; day.Before(end); day = day.AddDate(0, 0, 1) {
					for hour := range 24 {
						switch {
						case text == "30 1,13 * * *" && hour != 1 && hour != 13:
						case text == "30 0 31 12 *" && (hour != 0 || day.Day() != 31):
						default:
							want = append(want, day.Add(time.Duration(hour)*time.Hour+30*time.Minute))
						}
					}
				}
				if !slices.EqualFunc(got, want, time.Time.Equal) {
					t.Errorf("%s in %s, %d: %v, want %v", text, zone, year, got, want)
				}
			}
		}
	}
}

func list(numbers []int) string {
	var b strings.Builder
	for i, n := range numbers {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprint(&b, n)
	}
	return b.String()
}

func FuzzParse(f *testing.F) {
	for _, text := range []string{"* * * * *", "@every 1h", "*/5 1-3,7 * JAN MON", "@daily", "0 0 29 2 *"} {
		f.Add(text, int64(1790000000))
	}
	f.Fuzz(func(t *testing.T, text string, after int64) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		if err := s.In("America/New_York"); err != nil {
			t.Fatal(err)
		}
		from := time.Unix(after%(1<<34), 0)
		if at := s.next(from, uint64(after)); !at.After(from) {
			t.Errorf("%q after %s: %s", text, from, at)
		}
	})
}
