package author

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/project"
	"github.com/wasmoor/wasmoor/host/internal/fault"
	"github.com/wasmoor/wasmoor/host/internal/manifest"
	"github.com/wasmoor/wasmoor/host/internal/plugin"
)

// devEnvFile holds the variables of `wasmoor dev`; project.ReadEnv reads it. The
// .gitignore of a new project names it.
const devEnvFile = "wasmoor.dev.env"

// devFlags are what the command line says of a dev session.
type devFlags struct {
	dirs          []string
	listen, admin string
	data          string
	mounts        []string
	seed, clock   string
	vars, cors    []string
	assigned      [][2]string // vars, split
	seeds         []seed      // of the file
}

// DevCommand returns `wasmoor dev`.
func (p *Commands) DevCommand() *cobra.Command {
	var in devFlags
	cmd := p.Does(&cobra.Command{
		Use:   "dev [DIR...]",
		Short: "Build and serve projects, again at each change",
		Long: `Dev builds the project in each DIR (default: this folder) and serves it on this
machine, with a temporary store and whatever its manifest asks for. At each
change it builds again and swaps the version; a build that fails leaves the old
version serving. Each request is shown with its status, its time and what became
of its writes, and below it what the handler logged. A client sees why a handler
failed. Until a first version serves, it sees that the build runs, or why it
failed. A change is new content in a file that the manifest's watch globs name.
Without globs every file counts, except hidden files, modules and what the build
itself makes. Without a build command the module counts too.

Variables come from ` + devEnvFile + `, an env file, and --var. In a project's
folder, the commands that ask a server ask this session, except deploy.

--seed names a file with one JSON object a line. Each puts a key into an empty store:

  {"key": "users/1", "value": {"name": "Ada"}}
  {"key": "visits", "counter": 41}
  {"plugin": "shop", "key": "base64:AAE=", "value": "text", "ttl": "24h"}

Every setting of ` + "`wasmoor serve`" + ` about limits is a flag here too.`,
		Example: `  wasmoor dev
  wasmoor dev shop --listen 127.0.0.1:9000 --var greeting=hi
  wasmoor dev users shop --data dev-data --seed seed.jsonl --cors http://localhost:5173
  wasmoor dev --clock +48h`,
		Args: func(*cobra.Command, []string) error { return nil },
	}, func(cmd *cobra.Command, args []string) error {
		in.dirs = args
		if len(args) == 0 {
			in.dirs = []string{"."}
		}
		if err := in.check(cmd.Context()); err != nil {
			return err
		}
		cfg, err := p.devConfig(cmd.Flags(), in)
		if err != nil {
			return err
		}
		return p.dev(cmd.Context(), cfg, in)
	})
	in.add(cmd.Flags())
	p.settings.AddServing(cmd.Flags())
	cmd.Flags().BoolVar(&p.AsJSON, "json", false, "write events as JSON objects, one a line")
	return cmd
}

func (in *devFlags) add(flags *pflag.FlagSet) {
	flags.StringVar(&in.listen, "listen", "127.0.0.1:8090", "where to serve; port 0 takes a free one")
	flags.StringVar(&in.admin, "admin", "127.0.0.1:8091", "address of the admin API; without this flag, a free port if the default is taken")
	flags.StringVar(&in.data, "data", "", "folder of a lasting store (default: a temporary store)")
	flags.StringVar(&in.seed, "seed", "", "file of keys that an empty store starts with")
	flags.StringArrayVar(&in.mounts, "mount", nil, "where the routes hang: [host]/prefix, for one project; may be repeated (default /NAME)")
	flags.StringArrayVar(&in.vars, "var", nil, "KEY=VALUE of a variable, for one project; may be repeated")
	flags.StringArrayVar(&in.cors, "cors", nil, `origin whose pages may read answers, or "*"; may be repeated`)
	flags.StringVar(&in.clock, "clock", "", "time at the start, from which it goes on: an offset like +48h, or a time like 2027-01-31T08:00:00Z")
}

// check refuses what cannot be before anything is built, and reads the seed.
func (in *devFlags) check(ctx context.Context) (err error) {
	if err := cli.CheckTarget("", in.mounts); err != nil {
		return err
	}
	if len(in.dirs) > 1 && (len(in.mounts) > 0 || len(in.vars) > 0) {
		return cli.Usage("--mount and --var are for one project; %s in each folder names the variables of several", devEnvFile)
	}
	for _, dir := range in.dirs {
		if info, err := os.Stat(dir); err == nil && !info.IsDir() {
			return fault.New(fault.Invalid, "", fmt.Sprintf(
				"%s is a file; dev serves the folder of a project, which has a %s. To send a module one request: `wasmoor call %[1]s`", dir, manifest.FileName))
		}
	}
	if len(in.cors) > 0 {
		policy := plugin.CORS(devCORS(in.cors))
		if err := policy.Check(); err != nil {
			return cli.Usage("--cors: %s", fault.MessageOf(err))
		}
	}
	if in.assigned, err = assignments("--var", in.vars); err != nil || in.seed == "" {
		return err
	}
	in.seeds, err = readSeed(ctx, in.seed, len(in.dirs) > 1)
	return err
}

// devConfig returns how the host of a session is set up.
func (p *Commands) devConfig(flags *pflag.FlagSet, in devFlags) (host.Config, error) {
	offset, err := clockOffset(in.clock, time.Now())
	if err != nil {
		return host.Config{}, err
	}
	cfg, err := p.scratchConfig(flags)
	if err != nil {
		return cfg, err
	}
	cfg.PublicAddr, cfg.AdminAddr, cfg.DataDir = in.listen, in.admin, in.data
	if in.data == "" {
		cfg.MinFreeDisk, cfg.TokenFile = 0, devToken() // what else is written is not kept
	}
	if offset != 0 {
		cfg.Clock = func() time.Time { return time.Now().Add(offset) }
	}
	if !flags.Changed("admin") {
		cfg.Listen = listenAnyway
	}
	return cfg, checkConfig(cfg)
}

// devToken returns the file of the token that all sessions of this user with a
// temporary store have. "" is one in that store: there is no folder that is this
// user's alone.
func devToken() string {
	dir, err := project.CacheDir()
	if err != nil || host.ShareArtefacts(dir) != nil {
		return ""
	}
	return filepath.Join(dir, "dev.token")
}

// listenAnyway takes a free port for an admin API whose own is taken.
func listenAnyway(name, addr string) (net.Listener, error) {
	ln, err := net.Listen("tcp", addr)
	if err != nil && name == host.AdminListener {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	return ln, err
}

// clockOffset reads --clock: how far ahead of now the clock of a session is.
func clockOffset(text string, now time.Time) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	at, err := time.Parse(time.RFC3339, text)
	if strings.HasPrefix(text, "+") || strings.HasPrefix(text, "-") {
		var offset time.Duration
		offset, err = time.ParseDuration(text)
		at = now.Add(offset)
	}
	if err != nil || at.Year() < 1971 || at.Year() > 2200 {
		return 0, cli.Usage("--clock %q is no time; write an offset with a unit, e.g. +48h or -90m, or a time like 2027-01-31T08:00:00Z, from 1971 to 2200", text)
	}
	return at.Sub(now), nil
}
