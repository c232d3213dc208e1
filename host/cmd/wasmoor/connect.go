package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const defaultServer = "http://127.0.0.1:8081"

// connect returns a client of the server that flags and environment name.
func (p *program) connect() (*client.Client, error) {
	server := cmp.Or(p.server, p.getenv("WASMOOR_SERVER"), defaultServer)
	token, err := p.findToken(server)
	if err != nil {
		return nil, err
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		Server: server, Token: token, Insecure: p.insecure,
		UserAgent: "wasmoor/" + host.Version(), AnswerTime: p.answerTime,
	})
	if fault.CodeOf(err) == fault.Invalid {
		return nil, usage("%s", fault.MessageOf(err))
	}
	return c, err
}

// checkToken refuses what cannot stand in a request's header, without saying
// what it is.
func checkToken(token string) error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if strings.ContainsFunc(token, odd) {
		return usage("the token has a line break, a space or another character that no token has; is it the content of one admin.token file?")
	}
	return nil
}

// findToken looks where a token may come from, the most explicit place first.
// The token of the local server's data folder goes to local servers only.
func (p *program) findToken(server string) (string, error) {
	switch file := cmp.Or(p.tokenFile, p.getenv("WASMOOR_TOKEN_FILE")); {
	case p.token != "":
		return p.token, nil
	case p.tokenFile != "":
		return readToken(p.tokenFile)
	case p.getenv("WASMOOR_TOKEN") != "":
		return p.getenv("WASMOOR_TOKEN"), nil
	case file != "":
		return readToken(file)
	case !isLocal(server):
		return "", nil
	}
	if dir := p.getenv("WASMOOR_DATA"); dir != "" {
		return ifThere(readToken(host.TokenFile(dir)))
	}
	return nearestToken()
}

// ifThere takes a token that is not there for none: the server will say that it
// wants one.
func ifThere(token string, err error) (string, error) {
	if fault.CodeOf(err) == fault.NotFound {
		return "", nil
	}
	return token, err
}

// nearestToken returns the token of the default data folder here or in the
// nearest folder above, "" without one: a plugin's project often lies below the
// folder a server was started in.
func nearestToken() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fileError("find the token", err)
	}
	for {
		token, err := readToken(host.TokenFile(filepath.Join(dir, host.DefaultConfig().DataDir)))
		if fault.CodeOf(err) != fault.NotFound {
			return token, err
		}
		above := filepath.Dir(dir)
		if above == dir {
			return "", nil
		}
		dir = above
	}
}

func readToken(file string) (string, error) {
	data, err := readFile(file, "read the token", 4<<10)
	return strings.TrimSpace(string(data)), err
}

func isLocal(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// readFile reads a file of at most max bytes.
func readFile(file, op string, max int64) ([]byte, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fileError(op, err)
	}
	defer func() { _ = f.Close() }() // only read
	return readBounded(f, file, op, max)
}

func readBounded(r io.Reader, name, op string, max int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, max+1))
	if err != nil {
		return nil, fileError(op, err)
	}
	if int64(len(data)) > max {
		return nil, fault.New(fault.TooLarge, op, fmt.Sprintf("%s is larger than %s", name, size(max)))
	}
	return data, nil
}

// fileError gives an error of the file system its code. Its text already names
// the path.
func fileError(op string, err error) error {
	code := fault.Internal
	switch {
	case errors.Is(err, fs.ErrNotExist):
		code = fault.NotFound
	case errors.Is(err, fs.ErrPermission):
		code = fault.Denied
	case errors.Is(err, fs.ErrExist):
		code = fault.Conflict
	}
	return fault.Wrap(code, op, "", err)
}

// input reads what the user passes as "@FILE", "-" for standard input, or the
// data itself.
func (p *program) input(arg string, max int64) ([]byte, error) {
	switch {
	case arg == "-":
		return readBounded(p.stdin, "standard input", "read standard input", max)
	case strings.HasPrefix(arg, "@"):
		return readFile(arg[1:], "read the data", max)
	}
	return []byte(arg), nil
}
