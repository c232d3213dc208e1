package remote

import (
	"cmp"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/logins"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

const defaultServer = "http://127.0.0.1:8081"

// connect returns a client of the server that flags and environment name.
func (p *Commands) connect() (*client.Client, error) {
	p.findSession()
	server := cmp.Or(p.server, p.Getenv("WASMOOR_SERVER"), defaultServer)
	token, err := p.findToken(server)
	if err != nil {
		return nil, err
	}
	if err := checkToken(token); err != nil {
		return nil, err
	}
	ca, err := p.readCA()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.Config{
		Server: server, CA: ca, Token: token, Insecure: p.insecure,
		UserAgent: "wasmoor/" + host.Version(), AnswerTime: p.answerTime,
	})
	if fault.CodeOf(err) == fault.Invalid {
		return nil, cli.Usage("%s", fault.MessageOf(err))
	}
	return c, err
}

// readCA returns who may have signed the server's certificate; nil = those that the
// system trusts.
func (p *Commands) readCA() ([]byte, error) {
	file := cmp.Or(p.ca, p.Getenv("WASMOOR_CA"))
	if file == "" {
		return nil, nil
	}
	return cli.ReadFile(p.Context(), file, "read the CA", 1<<20)
}

// findSession takes the `wasmoor dev` that runs in this folder or one above for the
// server that is meant, where flags and environment name none and the command does
// not want a real one.
func (p *Commands) findSession() {
	named := cmp.Or(p.server, p.token, p.tokenFile, p.Getenv("WASMOOR_SERVER"), p.Getenv("WASMOOR_TOKEN"), p.Getenv("WASMOOR_TOKEN_FILE"), p.Getenv("WASMOOR_DATA"))
	if named != "" || p.serverOnly {
		return
	}
	dir, err := os.Getwd()
	if err != nil {
		return
	}
	if s, ok := project.NearestSession(dir); ok {
		p.server, p.tokenFile = s.Server, s.TokenFile
		p.Note("%s", p.Paint(p.Stderr, term.Grey, "asking the wasmoor dev of this folder, at "+s.Server))
	}
}

// checkToken refuses what cannot stand in a request's header, without saying
// what it is.
func checkToken(token string) error {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if strings.ContainsFunc(token, odd) {
		return cli.Usage("the token has a line break, a space or another character that no token has; is it the content of one admin.token file?")
	}
	return nil
}

// findToken looks where a token may come from, the most explicit place first.
// The token of the local server's data folder goes to local servers only.
func (p *Commands) findToken(server string) (string, error) {
	switch file := cmp.Or(p.tokenFile, p.Getenv("WASMOOR_TOKEN_FILE")); {
	case p.token != "":
		return p.token, nil
	case p.tokenFile != "":
		return p.readToken(p.tokenFile)
	case p.Getenv("WASMOOR_TOKEN") != "":
		return p.Getenv("WASMOOR_TOKEN"), nil
	case file != "":
		return p.readToken(file)
	}
	if token, err := logins.Token(p.Getenv, server); token != "" || err != nil || !isLocal(server) {
		return token, err
	}
	if dir := p.Getenv("WASMOOR_DATA"); dir != "" {
		return ifThere(p.readToken(host.TokenFile(dir)))
	}
	return p.nearestToken()
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
func (p *Commands) nearestToken() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", cli.FileError("find the token", err)
	}
	for {
		token, err := p.readToken(host.TokenFile(filepath.Join(dir, host.DefaultConfig().DataDir)))
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

func (p *Commands) readToken(file string) (string, error) {
	data, err := cli.ReadFile(p.Context(), file, "read the token", 4<<10)
	return strings.TrimSpace(string(data)), err
}

func isLocal(server string) bool {
	u, err := url.Parse(server)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Scheme == "unix" || u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}

// OwnServer takes the server of a data folder for the one that is meant, where
// flags and environment name no other: its settings say where it listens, and its
// token and the certificate that it shows are files.
func (p *Commands) OwnServer(cfg host.Config) {
	p.server = cmp.Or(p.server, p.Getenv("WASMOOR_SERVER"), localURL(cfg.AdminAddr, cfg.AdminTLSCert != ""))
	p.ca = cmp.Or(p.ca, p.Getenv("WASMOOR_CA"), cfg.AdminTLSCert)
	if p.token == "" && p.Getenv("WASMOOR_TOKEN") == "" && p.Getenv("WASMOOR_TOKEN_FILE") == "" {
		p.tokenFile = cmp.Or(p.tokenFile, host.TokenFile(cfg.DataDir))
	}
}

// localURL returns the URL of a listener on this machine.
func localURL(addr string, tls bool) string {
	if path, ok := strings.CutPrefix(addr, "unix:"); ok {
		if absolute, err := filepath.Abs(path); err == nil {
			path = absolute
		}
		return "unix://" + path
	}
	name, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(name); err == nil && (name == "" || ip != nil && ip.IsUnspecified()) {
		addr = net.JoinHostPort("127.0.0.1", port)
	}
	if tls {
		return "https://" + addr
	}
	return "http://" + addr
}
