// Package logins keeps what `wasmoor login` got, for the commands after it: a file for
// each server in the user's config folder, for the user alone. Package remote imports it.
package logins

import (
	"encoding/json"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// login is what a file holds.
type login struct {
	Server  string    `json:"server"`
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
}

// Save keeps the token of a log-in at a server, and returns the file. getenv is os.Getenv,
// here and below.
func Save(getenv func(string) string, server, token string, expires time.Time) (string, error) {
	file, err := fileOf(getenv, server)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal(login{server, token, expires})
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return "", cli.FileError("keep the log-in", err)
	}
	spare := file + ".new"
	_ = os.Remove(spare) // a log-in that was cut off
	if err := os.WriteFile(spare, data, 0o600); err != nil {
		return "", cli.FileError("keep the log-in", err)
	}
	if err := os.Rename(spare, file); err != nil {
		return "", cli.FileError("keep the log-in", err)
	}
	return file, nil
}

// Token returns the token of a log-in at a server that still lasts; "" = there is none.
func Token(getenv func(string) string, server string) (string, error) {
	file, err := fileOf(getenv, server)
	if err != nil {
		return "", nil // without a config folder nothing was kept
	}
	data, err := cli.ReadRegular(file, "read the log-in", 64<<10)
	if fault.CodeOf(err) == fault.NotFound {
		return "", nil
	}
	var l login
	if err == nil {
		err = json.Unmarshal(data, &l)
	}
	if err != nil || l.Server != server || !time.Now().Before(l.Expires) {
		return "", err
	}
	return l.Token, nil
}

// Forget removes what is kept of a log-in at a server, and returns its token; "" = there
// is none that still lasts. kept says whether anything was removed.
func Forget(getenv func(string) string, server string) (token string, kept bool, err error) {
	file, err := fileOf(getenv, server)
	if err != nil {
		return "", false, err
	}
	token, _ = Token(getenv, server) // what cannot be read is removed even so
	err = os.Remove(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", false, nil
	}
	if err != nil {
		return "", false, cli.FileError("forget the log-in", err)
	}
	return token, true, nil
}

func fileOf(getenv func(string) string, server string) (string, error) {
	dir := getenv("XDG_CONFIG_HOME")
	if dir == "" {
		var err error
		if dir, err = os.UserConfigDir(); err != nil {
			return "", cli.FileError("find the config folder", err)
		}
	}
	return filepath.Join(dir, "wasmoor", "logins", url.PathEscape(server)+".json"), nil
}
