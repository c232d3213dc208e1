package egress

import (
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// directives are those of Cache-Control (RFC 9111 §5.2), names in lower case.
type directives map[string]string

func directivesOf(h http.Header) directives {
	d := directives{}
	for _, line := range h["Cache-Control"] {
		for part := range strings.SplitSeq(line, ",") {
			name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
			if name = strings.ToLower(name); name != "" {
				if _, twice := d[name]; twice && d[name] != value {
					d["no-cache"] = "" // contradictions are read as stale (§4.2.1)
				}
				d[name] = strings.Trim(value, `"`)
			}
		}
	}
	return d
}

func (d directives) has(name string) bool { _, ok := d[name]; return ok }

// age returns a directive's seconds. One that is not a number counts as zero:
// stale is the safe side (§4.2.1).
func (d directives) age(name string) (time.Duration, bool) {
	value, ok := d[name]
	if !ok {
		return 0, false
	}
	n, err := strconv.ParseUint(value, 10, 31)
	if err != nil {
		return 0, true
	}
	return time.Duration(n) * time.Second, true
}

// lifetime is how long a response is fresh from its generation (§4.2.1). There
// is no guessing: a response that does not say is stale at once.
func lifetime(h http.Header) time.Duration {
	d := directivesOf(h)
	if d.has("no-cache") {
		return 0
	}
	if age, ok := d.age("max-age"); ok {
		return age
	}
	expires, err := http.ParseTime(h.Get("Expires"))
	date, err2 := http.ParseTime(h.Get("Date"))
	if err != nil || err2 != nil {
		return 0
	}
	return max(0, expires.Sub(date))
}

// initialAge is a response's age on its arrival (§4.2.3).
func initialAge(h http.Header, asked, arrived time.Time) time.Duration {
	apparent := time.Duration(0)
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		apparent = max(0, arrived.Sub(date))
	}
	told := time.Duration(0)
	if n, err := strconv.ParseUint(h.Get("Age"), 10, 31); err == nil {
		told = time.Duration(n) * time.Second
	}
	return max(apparent, told+arrived.Sub(asked))
}

// storable reports whether a private cache may keep the response to a GET (§3),
// and whether keeping it could be of use. One that sets a cookie begins
// somebody's session: it is not for the next.
func storable(status int, header http.Header) bool {
	d := directivesOf(header)
	switch status {
	case http.StatusOK, http.StatusNonAuthoritativeInfo, http.StatusMultipleChoices, http.StatusMovedPermanently,
		http.StatusPermanentRedirect, http.StatusNotFound, http.StatusGone:
	default:
		return false
	}
	if d.has("no-store") || slices.Contains(varies(header), "*") || len(header["Set-Cookie"]) > 0 {
		return false
	}
	validator := header.Get("Etag") != "" || header.Get("Last-Modified") != ""
	return lifetime(header) > 0 || validator
}

// varies lists the request fields a response depends on (§4.1).
func varies(h http.Header) []string {
	var names []string
	for _, line := range h["Vary"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.TrimSpace(name)); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}

// refresh returns a stored header with the fields of a 304 in it (§3.2).
func refresh(stored, fresh http.Header) http.Header {
	out := stored.Clone()
	maps.Copy(out, fresh)
	for _, name := range []string{"Content-Length", "Content-Encoding", "Content-Range", "Transfer-Encoding"} {
		if values, had := stored[name]; had {
			out[name] = values
		} else {
			delete(out, name)
		}
	}
	return out
}
