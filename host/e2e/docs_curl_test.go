package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// asCurl makes the test's own program a `curl` and returns the folder it is in:
// the tests need no other tools than those that build the project.
func asCurl(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	self, err := os.Executable()
	if err == nil {
		err = os.Symlink(self, filepath.Join(dir, "curl"))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// curl knows what README.md uses of curl: -i, -d, -H and --data-urlencode. It
// fails when the answer is an error.
func curl(args []string, stdout, stderr io.Writer) (code int) {
	req, err := curlRequest(args)
	if err != nil {
		fmt.Fprintln(stderr, "curl:", err)
		return 2
	}
	res, err := client.Do(req)
	if err != nil {
		fmt.Fprintln(stderr, "curl:", err)
		return 7
	}
	defer res.Body.Close()
	if args[0] == "-i" {
		fmt.Fprintln(stdout, res.Proto, res.Status)
		_ = res.Header.Write(stdout)
	}
	if _, err := io.Copy(stdout, res.Body); err != nil || res.StatusCode >= 400 {
		fmt.Fprintln(stderr, "curl:", res.Status, err)
		return 22
	}
	return 0
}

func curlRequest(args []string) (*http.Request, error) {
	var target, body string
	header := http.Header{}
	for len(args) > 0 {
		flag := args[0]
		args = args[1:]
		switch {
		case flag == "-i":
			continue
		case !strings.HasPrefix(flag, "-"):
			target = flag
			continue
		case len(args) == 0:
			return nil, fmt.Errorf("%s needs a value", flag)
		}
		switch value := args[0]; flag {
		case "-H":
			name, text, _ := strings.Cut(value, ":")
			header.Set(name, strings.TrimSpace(text))
		case "-d", "--data-urlencode":
			if name, text, pair := strings.Cut(value, "="); pair && flag != "-d" {
				value = name + "=" + url.QueryEscape(text)
			}
			body = strings.TrimPrefix(body+"&"+value, "&")
		default:
			return nil, fmt.Errorf("%s is not known here", flag)
		}
		args = args[1:]
	}
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
		if header.Get("Content-Type") == "" {
			header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
	}
	req, err := http.NewRequest(method, target, strings.NewReader(body))
	if err == nil {
		req.Header = header
	}
	return req, err
}
