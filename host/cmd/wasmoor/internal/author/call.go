package author

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/limit"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// callFlags say which request goes to a module that nobody serves.
type callFlags struct {
	method  string
	path    string
	headers []string
	data    string
	kv      []string
	vars    []string
	timeout time.Duration

	networks string // private ones that it may call
}

// CallCommand returns `wasmoor call`.
func (p *Commands) CallCommand() *cobra.Command {
	var in callFlags
	cmd := p.Reads(p.Does(&cobra.Command{
		Use:   "call [DIR|FILE]",
		Short: "Send one request to a project or module; no server is needed",
		Long: `Call builds the project in DIR (default: this folder) or takes the module FILE,
serves it in this process with an empty, temporary store, and sends it one
request. The body is written to standard output, everything else to standard
error. The exit code is 0 when the answer is below 500, and 1 from 500 on.`,
		Example: `  wasmoor call hello.wasm --path /hello/you
  wasmoor call --method POST --path /entries --data @entry.json
  wasmoor call --path /stats --kv hits=41 --var greeting=hi --json`,
		Args: cli.MayTake("DIR or FILE"),
	}, func(cmd *cobra.Command, args []string) error {
		cfg, err := p.scratchConfig(cmd.Flags())
		if err != nil {
			return err
		}
		cfg.DataDir, cfg.MinFreeDisk, cfg.OutboundAllowNetworks = "", 0, in.networks
		if err := checkConfig(cfg); err != nil {
			return err
		}
		return p.call(cmd.Context(), cfg, cli.Argument(args, "."), in)
	}))
	flags := cmd.Flags()
	flags.StringVarP(&in.method, "method", "X", "", "method (default GET, or POST with --data)")
	flags.StringVar(&in.path, "path", "/", "path and query, below the plugin's mount")
	flags.StringArrayVarP(&in.headers, "header", "H", nil, `header field, "Name: value"; may be repeated`)
	flags.StringVarP(&in.data, "data", "d", "", "body: the text, @FILE, or - for standard input")
	flags.StringArrayVar(&in.kv, "kv", nil, "KEY=VALUE to put into the store before the request; may be repeated")
	flags.StringArrayVar(&in.vars, "var", nil, "KEY=VALUE of a variable, for values that are no secrets; may be repeated")
	p.settings.AddBuild(flags)
	flags.StringVar(&in.networks, "outbound-allow-networks", "",
		"private networks that calls may reach, e.g. 127.0.0.1/32; the manifest lists the origins")
	flags.DurationVar(&in.timeout, "timeout", time.Minute, "how long to wait for the answer")
	return cmd
}

func (p *Commands) call(ctx context.Context, cfg host.Config, path string, in callFlags) error {
	request, err := p.callRequest(in)
	if err != nil {
		return err
	}
	l, err := project.Load(ctx, p.Terminal, path)
	if err != nil {
		project.ShowFailure(p.Terminal, err)
		return err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, in.timeout, fmt.Errorf("no answer within %s", in.timeout))
	defer cancel()
	got, err := p.callOnce(ctx, cfg, l, in, request)
	if err != nil {
		return err
	}
	return p.showAnswer(got)
}

// callRequest makes the request, with a path relative to the mount.
func (p *Commands) callRequest(in callFlags) (*http.Request, error) {
	if !strings.HasPrefix(in.path, "/") {
		return nil, cli.Usage("--path %q must start with /", in.path)
	}
	body, err := p.Input(in.data, limit.Maximum().RequestBody)
	if err != nil {
		return nil, err
	}
	method := cmp.Or(in.method, http.MethodGet)
	if in.method == "" && in.data != "" {
		method = http.MethodPost
	}
	request, err := http.NewRequest(method, "http://plugin"+in.path, bytes.NewReader(body))
	if err != nil {
		return nil, cli.Usage("the request cannot be made: %v", err)
	}
	if err := cli.AddHeader(request.Header, in.headers); err != nil {
		return nil, err
	}
	request.Host = request.Header.Get("Host") // "" = that of the mount
	return request, nil
}

// callOnce serves the module on a scratch host and sends the request.
func (p *Commands) callOnce(ctx context.Context, cfg host.Config, l *project.Loaded, in callFlags, request *http.Request) (got *answer, err error) {
	records := make(chan *record, 4*limit.LogLines)
	takeRecords(&cfg, func(r *record) {
		select {
		case records <- r:
		default: // nobody may wait for a reader of logs
		}
	})
	s, err := startScratch(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer func() {
		if closeErr := s.close(); err == nil && closeErr != nil {
			err = closeErr
		}
	}()
	installed, err := s.install(ctx, l, in)
	if err != nil {
		return nil, err
	}
	if got, err = send(ctx, s.host.PublicURL(), plugin.Mount(installed.Mount[0]), request); err != nil {
		return nil, err
	}
	got.routes, got.Notices = installed.Routes, installed.Notices
	got.addRecords(ctx, records)
	return got, nil
}

// install deploys the module with the vars and keys of a call.
func (s *scratch) install(ctx context.Context, l *project.Loaded, in callFlags) (adminapi.Changed, error) {
	vars, err := in.variables(ctx, l)
	if err != nil {
		return adminapi.Changed{}, err
	}
	keys, err := assignments("--kv", in.kv)
	if err != nil {
		return adminapi.Changed{}, err
	}
	changed, err := s.deploy(ctx, adminapi.Upload{PluginRef: adminapi.PluginRef{Name: l.Name}}, l.Module, vars, nil)
	if err != nil {
		return changed, err
	}
	for _, a := range keys {
		if err := s.client.KVPut(ctx, l.Name, []byte(a[0]), []byte(a[1]), 0); err != nil {
			return changed, err
		}
	}
	return changed, nil
}

// variables returns those of the project's file, then those of --var.
func (in callFlags) variables(ctx context.Context, l *project.Loaded) (vars [][2]string, err error) {
	if l.Dir != "" {
		if vars, err = readEnvFile(ctx, filepath.Join(l.Dir, devEnvFile)); err != nil {
			return nil, err
		}
	}
	given, err := assignments("--var", in.vars)
	return append(vars, given...), err
}

// assignments splits KEY=VALUE arguments.
func assignments(flag string, args []string) ([][2]string, error) {
	var pairs [][2]string
	for _, arg := range args {
		key, value, ok := strings.Cut(arg, "=")
		if !ok || key == "" {
			return nil, cli.Usage("%s %q is not KEY=VALUE", flag, arg)
		}
		pairs = append(pairs, [2]string{key, value})
	}
	return pairs, nil
}
