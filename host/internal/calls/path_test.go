package calls

import "testing"

func TestCheckPath(t *testing.T) {
	for path, want := range map[string][2]bool{ // slashes, and whether it is refused
		"/":            {},
		"/a/b":         {},
		"/a/":          {},
		"/a%20b":       {},
		"/a%2Fb":       {true, false},
		"/...":         {},
		"":             {false, true},
		"a":            {false, true},
		"//":           {false, true},
		"/a//b":        {false, true},
		"/.":           {false, true},
		"/../a":        {false, true},
		"/a/..":        {false, true},
		"/%2e%2E/a":    {false, true},
		"/a%2f..%2fb":  {true, true},
		"/a%2f%2e":     {true, true},
		"/a%5cb":       {false, true},
		"/a%00b":       {false, true},
		"/a%7f":        {false, true},
		"/a%zz":        {false, true},
		"/a%2":         {false, true},
		"/a%2fb/./c":   {true, true},
		"/a%2Fb/%2E/c": {true, true},
	} {
		slashes, why := checkPath(path)
		if slashes != want[0] || (why != "") != want[1] {
			t.Errorf("%q: %v, %q", path, slashes, why)
		}
	}
}
