package project

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
)

// Session says where the admin API of a `wasmoor dev` is that runs.
type Session struct {
	Server    string `json:"server"`
	TokenFile string `json:"token_file"`
}

// keptSession is a session in its file, with the process that keeps it.
type keptSession struct {
	Session
	PID int `json:"pid"`
}

// KeepSession lets other commands of this user find a session from the folders dirs,
// and those below, until forget is called. Where there is no folder that is this
// user's alone it does nothing.
func KeepSession(dirs []string, s Session) (forget func()) {
	var files []string
	data, err := json.Marshal(keptSession{s, os.Getpid()})
	if err != nil {
		return func() {}
	}
	for _, dir := range dirs {
		file, err := sessionFile(dir)
		if err != nil || host.ShareArtefacts(filepath.Dir(file)) != nil {
			continue
		}
		if os.WriteFile(file, data, 0o600) == nil {
			files = append(files, file)
		}
	}
	return func() {
		for _, file := range files {
			if now, err := os.ReadFile(file); err == nil && bytes.Equal(now, data) { // else it is another session's
				_ = os.Remove(file) // one that is gone is not found
			}
		}
	}
}

// NearestSession returns the session of dir or of the nearest folder above it, ok =
// false without one that answers.
func NearestSession(dir string) (s Session, ok bool) {
	for {
		file, err := sessionFile(dir)
		if err != nil || host.ShareArtefacts(filepath.Dir(file)) != nil {
			return s, false
		}
		data, err := cli.ReadRegular(file, "", 4<<10)
		var kept keptSession
		if err == nil && json.Unmarshal(data, &kept) == nil {
			return kept.Session, kept.runs() && kept.answers()
		}
		above := filepath.Dir(dir)
		if above == dir {
			return s, false
		}
		dir = above
	}
}

// runs reports whether the process is there and this user's. Of one that was killed
// the file stays, and whoever takes its port would be sent the token.
func (s keptSession) runs() bool {
	p, err := os.FindProcess(s.PID)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}

// answers reports whether somebody listens where the session does.
func (s Session) answers() bool {
	u, err := url.Parse(s.Server)
	if err != nil {
		return false
	}
	conn, err := net.DialTimeout("tcp", u.Host, time.Second)
	if err == nil {
		_ = conn.Close()
	}
	return err == nil
}

// sessionFile returns the file that tells of the session of a project's folder.
func sessionFile(dir string) (string, error) {
	cache, err := CacheDir()
	if err == nil {
		dir, err = filepath.Abs(dir)
	}
	if real, ok := filepath.EvalSymlinks(dir); ok == nil {
		dir = real
	}
	sum := sha256.Sum256([]byte(dir))
	return filepath.Join(cache, "sessions", hex.EncodeToString(sum[:16])), err
}
