package remote

import (
	"cmp"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/logins"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// Server returns the server that flags and environment name.
func (p *Commands) Server() string {
	return cmp.Or(p.server, p.Getenv("WASMOOR_SERVER"), defaultServer)
}

// SaveLogin keeps the token of a log-in at the server, and returns the file.
func (p *Commands) SaveLogin(token string, expires time.Time) (string, error) {
	return logins.Save(p.Getenv, p.Server(), token, expires)
}

// ForgetLogin removes what is kept of a log-in at the server. See logins.Forget.
func (p *Commands) ForgetLogin() (token string, kept bool, err error) {
	p.findSession()
	return logins.Forget(p.Getenv, p.Server())
}

// TalkAs is Talk with a token that was kept.
func (p *Commands) TalkAs(token string, do func(*client.Client) error) error {
	p.token = token
	return p.Talk(do)
}
