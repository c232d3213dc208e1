package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/coreos/go-systemd/v22/unit"
	"go.yaml.in/yaml/v3"

	"github.com/wasmoor/wasmoor/host"
	"github.com/wasmoor/wasmoor/host/internal/limit"
)

// The tests of this file hold what docs/install says against the program. What needs
// systemd, or a folder that is the root, is in host/e2e.

const installDir = "../../docs/install"

func installFile(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(installDir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// invoke runs a command line with an environment, and returns what it says.
func invoke(t *testing.T, env map[string]string, args ...string) (said string, code int) {
	t.Helper()
	var out bytes.Buffer
	code = run(t.Context(), args, func(name string) string { return env[name] }, strings.NewReader(""), &out, &out)
	return out.String(), code
}

// stopTakes is how long a stop takes at most: with two seconds to close.
func stopTakes(cfg host.Config) time.Duration {
	return cfg.DrainDelay + cfg.DrainTimeout + 2*time.Second
}

// settingsOf returns the values of a unit's settings by "Section.Name".
func settingsOf(t *testing.T, name string) map[string]string {
	t.Helper()
	options, err := unit.DeserializeOptions(strings.NewReader(installFile(t, name)))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for _, o := range options {
		values[o.Section+"."+o.Name] = o.Value
	}
	return values
}

func TestUnitFitsTheProgram(t *testing.T) {
	service, cfg := settingsOf(t, "wasmoor.service"), host.DefaultConfig()
	for name, want := range map[string]string{
		"Service.Type":           "notify",
		"Service.Environment":    "WASMOOR_DATA=/var/lib/" + service["Service.StateDirectory"],
		"Service.LoadCredential": "wasmoor-secrets-key:/etc/wasmoor/secrets.key",
		"Service.ExecReload":     "/usr/local/bin/wasmoor config reload",
	} {
		if service[name] != want {
			t.Errorf("%s is %q, want %q", name, service[name], want)
		}
	}
	for name, least := range map[string]float64{
		"Service.TimeoutStopSec": stopTakes(cfg).Seconds(),
		"Service.LimitNOFILE":    float64(cfg.MaxConns + 640),
		"Service.WatchdogSec":    1,
	} {
		if n, err := strconv.ParseFloat(service[name], 64); err != nil || n <= least {
			t.Errorf("%s is %q, want more than %v", name, service[name], least)
		}
	}
	if v, set := service["Service.MemoryDenyWriteExecute"]; set {
		t.Errorf("MemoryDenyWriteExecute=%s keeps modules from being compiled", v)
	}
	for listener, name := range map[string]string{host.PublicListener: "wasmoor.socket", host.AdminListener: "wasmoor-admin.socket"} {
		socket := settingsOf(t, name)
		if socket["Socket.FileDescriptorName"] != listener || socket["Socket.Service"] != "wasmoor.service" {
			t.Errorf("%s is for %q of %q, want %q of wasmoor.service", name, socket["Socket.FileDescriptorName"], socket["Socket.Service"], listener)
		}
		if line := listener + ` = "` + socket["Socket.ListenStream"] + `"`; !strings.Contains(installFile(t, "server.toml"), line) {
			t.Errorf("server.toml has no line %s, as %s has", line, name)
		}
	}
	said, code := invoke(t, nil, "config", "check", "--config", filepath.Join(installDir, "server.toml"), "--data", t.TempDir())
	if code != 0 {
		t.Errorf("server.toml is not taken: %s", said)
	}
}

// image is what the last stage of a Containerfile makes.
type image struct {
	from, user, volume, expose string
	env                        map[string]string
	entrypoint, cmd, health    []string
}

var inBrackets = regexp.MustCompile(`"([^"]*)"`)

func readImage(t *testing.T) (stages []string, last image) {
	t.Helper()
	for line := range strings.Lines(installFile(t, "Containerfile")) {
		what, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		var list []string
		for _, m := range inBrackets.FindAllStringSubmatch(rest, -1) {
			list = append(list, m[1])
		}
		switch what {
		case "FROM":
			stages, last = append(stages, rest), image{from: rest, env: map[string]string{}}
		case "ENV":
			name, value, _ := strings.Cut(rest, "=")
			last.env[name] = value
		case "USER":
			last.user = rest
		case "VOLUME":
			last.volume = rest
		case "EXPOSE":
			last.expose = rest
		case "ENTRYPOINT":
			last.entrypoint = list
		case "CMD":
			last.cmd = list
		case "HEALTHCHECK":
			last.health = list
		case "", "#", "COPY", "RUN", "WORKDIR":
		default:
			t.Errorf("the Containerfile has an instruction %s that no test reads", what)
		}
	}
	return stages, last
}

func TestContainerfileFitsTheProgram(t *testing.T) {
	stages, img := readImage(t)
	goMod, err := os.ReadFile("../../../go.mod")
	if err != nil {
		t.Fatal(err)
	}
	release := regexp.MustCompile(`(?m)^go (\d+\.\d+)`).FindStringSubmatch(string(goMod))[1]
	if len(stages) != 2 || !strings.Contains(stages[0], "golang:"+release) || img.from != "scratch" {
		t.Errorf("the stages are from %q, want golang:%s and scratch", stages, release)
	}
	if build := "CGO_ENABLED=0 GOPROXY=off go build "; !strings.Contains(installFile(t, "Containerfile"), build) {
		t.Errorf("the image is not built by %q", build)
	}
	if user, _, _ := strings.Cut(img.user, ":"); user == "" || user == "0" || user == "root" {
		t.Errorf("the image runs as %q", img.user)
	}
	if _, port, _ := strings.Cut(img.env["WASMOOR_PUBLIC"], ":"); port != img.expose {
		t.Errorf("the image exposes %q and listens at %q", img.expose, img.env["WASMOOR_PUBLIC"])
	}
	if filepath.Dir(img.env["WASMOOR_DATA"]) != img.volume {
		t.Errorf("the data is in %q, which is not right below the volume %q", img.env["WASMOOR_DATA"], img.volume)
	}
	img.env["WASMOOR_DATA"] = t.TempDir()
	if said, code := invoke(t, img.env, append(img.cmd, "--check")...); code != 0 {
		t.Errorf("%q is not taken: %s", img.cmd, said)
	}
	if !slices.Equal(img.entrypoint, []string{"wasmoor"}) || len(img.health) < 2 || img.health[0] != "wasmoor" {
		t.Fatalf("the image runs %q and asks %q", img.entrypoint, img.health)
	}
	img.env["WASMOOR_SERVER"] = "http://127.0.0.1:1" // nobody's
	if said, code := invoke(t, img.env, img.health[1:]...); code != 1 {
		t.Errorf("without a server %q ends with %d, want 1: %s", img.health, code, said)
	}
}

// Objects of Kubernetes, as far as the example has them: another field is an error.
type (
	object struct {
		APIVersion string            `yaml:"apiVersion"`
		Kind       string            `yaml:"kind"`
		Metadata   metadata          `yaml:"metadata"`
		StringData map[string]string `yaml:"stringData"`
		Spec       yaml.Node         `yaml:"spec"`
	}
	metadata struct {
		Name, Namespace string
		Labels          map[string]string
	}
	labels struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	}
	statefulSet struct {
		ServiceName string `yaml:"serviceName"`
		Replicas    int
		Selector    labels
		Template    struct {
			Metadata metadata
			Spec     pod
		}
		VolumeClaimTemplates []struct {
			Metadata metadata
			Spec     map[string]any
		} `yaml:"volumeClaimTemplates"`
	}
	pod struct {
		AutomountServiceAccountToken  bool           `yaml:"automountServiceAccountToken"`
		TerminationGracePeriodSeconds int            `yaml:"terminationGracePeriodSeconds"`
		SecurityContext               map[string]any `yaml:"securityContext"`
		Containers                    []container
	}
	container struct {
		Name, Image string
		Args        []string
		Env         []struct {
			Name, Value string
			ValueFrom   struct {
				SecretKeyRef struct{ Name, Key string } `yaml:"secretKeyRef"`
			} `yaml:"valueFrom"`
		}
		Ports []struct {
			Name          string
			ContainerPort int `yaml:"containerPort"`
		}
		StartupProbe    probe `yaml:"startupProbe"`
		LivenessProbe   probe `yaml:"livenessProbe"`
		ReadinessProbe  probe `yaml:"readinessProbe"`
		Resources       struct{ Requests, Limits map[string]string }
		SecurityContext map[string]any `yaml:"securityContext"`
		VolumeMounts    []struct {
			Name      string
			MountPath string `yaml:"mountPath"`
		} `yaml:"volumeMounts"`
	}
	probe struct {
		HTTPGet          struct{ Path, Port string } `yaml:"httpGet"`
		PeriodSeconds    int                         `yaml:"periodSeconds"`
		TimeoutSeconds   int                         `yaml:"timeoutSeconds"`
		FailureThreshold int                         `yaml:"failureThreshold"`
	}
	service struct {
		Selector map[string]string
		Ports    []struct {
			Name       string
			Port       int
			TargetPort string `yaml:"targetPort"`
		}
	}
	networkPolicy struct {
		PodSelector labels   `yaml:"podSelector"`
		PolicyTypes []string `yaml:"policyTypes"`
		Ingress     []struct{ Ports []struct{ Port string } }
	}
)

// cluster is the example, read.
type cluster struct {
	secret  map[string]string
	service service
	policy  networkPolicy
	set     statefulSet
}

func readCluster(t *testing.T) (c cluster) {
	t.Helper()
	decoder := yaml.NewDecoder(strings.NewReader(installFile(t, "kubernetes.yaml")))
	decoder.KnownFields(true)
	var namespace string
	for {
		var o object
		if err := decoder.Decode(&o); errors.Is(err, io.EOF) {
			return c
		} else if err != nil {
			t.Fatal(err)
		}
		into := map[string]any{
			"v1 Namespace": nil, "v1 Secret": nil, "v1 Service": &c.service,
			"networking.k8s.io/v1 NetworkPolicy": &c.policy, "apps/v1 StatefulSet": &c.set,
		}
		spec, known := into[o.APIVersion+" "+o.Kind]
		switch {
		case !known:
			t.Errorf("no test reads the object %s %s", o.APIVersion, o.Kind)
		case o.Kind == "Namespace":
			namespace = o.Metadata.Name
		case o.Metadata.Namespace != namespace || o.Metadata.Name != "wasmoor":
			t.Errorf("the %s is %s of %q", o.Kind, o.Metadata.Name, o.Metadata.Namespace)
		case o.Kind == "Secret":
			c.secret = o.StringData
		}
		if spec != nil {
			text, err := yaml.Marshal(&o.Spec) // a Node is not decoded strictly
			strict := yaml.NewDecoder(bytes.NewReader(text))
			strict.KnownFields(true)
			if err := errors.Join(err, strict.Decode(spec)); err != nil {
				t.Fatal(o.Kind, err)
			}
		}
	}
}

func TestKubernetesFitsTheProgram(t *testing.T) {
	c := readCluster(t)
	if c.set.Replicas != 1 || len(c.set.Template.Spec.Containers) != 1 {
		t.Fatalf("%d replicas of %d containers, want one of one", c.set.Replicas, len(c.set.Template.Spec.Containers))
	}
	it := c.set.Template.Spec.Containers[0]
	env := map[string]string{}
	for _, e := range it.Env {
		env[e.Name] = e.Value
		if ref := e.ValueFrom.SecretKeyRef; ref.Name != "" {
			env[e.Name] = c.secret[ref.Key]
		}
	}
	if filepath.Dir(env["WASMOOR_DATA"]) != it.VolumeMounts[0].MountPath || it.VolumeMounts[0].Name != c.set.VolumeClaimTemplates[0].Metadata.Name {
		t.Errorf("the data is in %s, which is not right below the volume %+v", env["WASMOOR_DATA"], it.VolumeMounts)
	}
	if policy := c.set.Template.Spec.SecurityContext["fsGroupChangePolicy"]; policy != "OnRootMismatch" {
		t.Errorf("fsGroupChangePolicy is %v, which opens admin.token to the group", policy)
	}
	env["WASMOOR_DATA"] = t.TempDir()
	if said, code := invoke(t, env, append(it.Args, "--check")...); code == 0 || !strings.Contains(said, "WASMOOR_SECRETS_KEY") {
		t.Errorf("the key that stands in the example is taken: %d, %s", code, said)
	}
	env["WASMOOR_SECRETS_KEY"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
	if said, code := invoke(t, env, append(it.Args, "--check")...); code != 0 {
		t.Errorf("%q is not taken: %s", it.Args, said)
	}
	wantRoom(t, c, env)
	wantPorts(t, c, env)
}

// wantRoom wants time for a stop, and memory for the settings.
func wantRoom(t *testing.T, c cluster, env map[string]string) {
	t.Helper()
	cfg := host.DefaultConfig()
	var err [4]error
	cfg.DrainDelay, err[0] = time.ParseDuration(env["WASMOOR_DRAIN_DELAY"])
	cfg.DrainTimeout, err[1] = time.ParseDuration(env["WASMOOR_DRAIN_TIMEOUT"])
	cfg.MaxGuestMemory, err[2] = limit.ParseSize(env["WASMOOR_MAX_GUEST_MEMORY"])
	cfg.MaxBuildMemory, err[3] = limit.ParseSize(env["WASMOOR_MAX_BUILD_MEMORY"])
	if err := errors.Join(err[:]...); err != nil {
		t.Fatal(err)
	}
	if grace := time.Duration(c.set.Template.Spec.TerminationGracePeriodSeconds) * time.Second; grace <= stopTakes(cfg) {
		t.Errorf("a pod has %v to stop, and takes up to %v", grace, stopTakes(cfg))
	}
	cfg.Build = []string{"wasmoor"}
	all, _ := host.MemoryFor(cfg)
	most, no := limit.ParseSize(c.set.Template.Spec.Containers[0].Resources.Limits["memory"] + "B")
	if no != nil || most < all {
		t.Errorf("the pod may have %d bytes, and its settings let it take %d (%v)", most, all, no)
	}
}

// wantPorts wants probes, service and policy to name listeners that there are.
func wantPorts(t *testing.T, c cluster, env map[string]string) {
	t.Helper()
	it := c.set.Template.Spec.Containers[0]
	for _, p := range it.Ports {
		at := env[map[string]string{"http": "WASMOOR_PUBLIC", "admin": "WASMOOR_ADMIN"}[p.Name]]
		if at != "0.0.0.0:"+strconv.Itoa(p.ContainerPort) {
			t.Errorf("port %d is called %s, which is at %q", p.ContainerPort, p.Name, at)
		}
	}
	got := []string{
		it.StartupProbe.HTTPGet.Path, it.StartupProbe.HTTPGet.Port, it.LivenessProbe.HTTPGet.Path, it.LivenessProbe.HTTPGet.Port,
		it.ReadinessProbe.HTTPGet.Path, it.ReadinessProbe.HTTPGet.Port, c.service.Ports[0].TargetPort, c.policy.Ingress[0].Ports[0].Port,
	}
	if want := []string{"/livez", "admin", "/livez", "admin", "/readyz", "http", "http", "http"}; !slices.Equal(got, want) {
		t.Errorf("probes, service and policy lead to %q, want %q", got, want)
	}
	app := c.set.Template.Metadata.Labels["app"]
	if app == "" || c.service.Selector["app"] != app || c.set.Selector.MatchLabels["app"] != app || c.policy.PodSelector.MatchLabels["app"] != app {
		t.Errorf("service, set and policy do not select the pods, whose app is %q", app)
	}
}
