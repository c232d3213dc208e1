package standby

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// socketFile in the data folder is how commands on the machine reach a standby. Who
// may open it is who may read the data.
const socketFile = "standby.sock"

// Probes answers /livez, and /readyz with why no request is served.
func (s *Standby) Probes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /livez", func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "ok\n") // the client may have left
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Cache-Control", "no-store")
		w.WriteHeader(http.StatusServiceUnavailable)
		_, _ = fmt.Fprintf(w, "not ready: a standby, %s behind\n", s.Status().Lag.Round(time.Second))
	})
	return mux
}

// failure is an error on its way to a command.
type failure struct {
	Code    fault.Code `json:"code"`
	Message string     `json:"message"`
}

func (s *Standby) control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /status", func(w http.ResponseWriter, _ *http.Request) { answer(w, s.Status(), nil) })
	mux.HandleFunc("POST /promote", func(w http.ResponseWriter, r *http.Request) {
		st, err := s.Promote(context.WithoutCancel(r.Context()), r.URL.Query().Has("force"))
		answer(w, st, err)
	})
	return mux
}

func answer(w http.ResponseWriter, st Status, err error) {
	var v any = st
	if err != nil {
		w.WriteHeader(http.StatusConflict)
		v = failure{fault.CodeOf(err), fault.MessageOf(err)}
	}
	_ = json.NewEncoder(w).Encode(v) // the client may have left
}

// Serve runs the standby: commands on the machine reach it, and probes on listeners,
// until it has taken over or ctx ends. It closes the listeners.
func (s *Standby) Serve(ctx context.Context, listeners ...net.Listener) error {
	path := filepath.Join(s.cfg.DataDir, socketFile)
	_ = os.Remove(path) // of a process that was killed; the store's lock says that there is no other
	control, err := net.Listen("unix", path)
	if err == nil {
		err = os.Chmod(path, 0o600)
	}
	if err != nil {
		return fault.Wrap(fault.Unavailable, "listen", "cannot make "+path, err)
	}
	commands := newServer(s.control())
	probes := newServer(s.Probes())
	go func() { _ = commands.Serve(control) }() // until Shutdown
	for _, ln := range listeners {
		go func() { _ = probes.Serve(ln) }()
	}
	err = s.Run(ctx)
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	_ = commands.Shutdown(end) // the command that promoted has its answer first
	_ = probes.Close()
	return err
}

func newServer(h http.Handler) *http.Server {
	return &http.Server{Handler: h, ReadHeaderTimeout: 5 * time.Second, MaxHeaderBytes: 16 << 10}
}

// Ask asks the standby that runs on a data folder: its status, or to take over.
// Errors: NotFound (no standby runs there), those of Promote.
func Ask(ctx context.Context, dir string, promote, force bool) (st Status, err error) {
	path := filepath.Join(dir, socketFile)
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", path)
	}}}
	method, url := http.MethodGet, "http://standby/status"
	if promote {
		method, url = http.MethodPost, "http://standby/promote"
	}
	if force {
		url += "?force"
	}
	r, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(nil))
	if err != nil {
		return st, err
	}
	resp, err := client.Do(r)
	if err != nil {
		if _, statErr := os.Stat(path); errors.Is(statErr, fs.ErrNotExist) {
			return st, fault.New(fault.NotFound, "standby", fmt.Sprintf("no standby runs on %s; start one with: wasmoor standby --from PLACE --data %s", dir, dir))
		}
		return st, fault.Wrap(fault.Unavailable, "standby", "the standby does not answer at "+path, err)
	}
	defer resp.Body.Close() // only read
	in := json.NewDecoder(io.LimitReader(resp.Body, 64<<10))
	if resp.StatusCode == http.StatusOK {
		return st, in.Decode(&st)
	}
	var f failure
	if err := in.Decode(&f); err != nil {
		return st, err
	}
	return st, fault.New(f.Code, "", f.Message)
}
