package access

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/spf13/cobra"
	"golang.org/x/oauth2"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
	"github.com/wasmoor/wasmoor/host/internal/fault"
)

// loginTime is how long somebody may take in the browser.
const loginTime = 5 * time.Minute

// LoginCommand returns `wasmoor login`.
func (p *Commands) LoginCommand() *cobra.Command {
	var rule, audience, idToken string
	cmd := p.Does(&cobra.Command{
		Use:   "login",
		Short: "Log in through an issuer of OIDC: a person in the browser, or a run of CI",
		Long: `Login proves to the server who you are, and keeps the token that it gets for the
commands after it: for hours, in your config folder.

A person logs in in the browser, at an issuer that the server trusts (wasmoor trust).
A job of GitHub Actions with the permission "id-token: write" is known by itself; a job
of GitLab passes the ID token that its id_tokens made, in WASMOOR_ID_TOKEN.`,
		Example: `  wasmoor login --server https://admin.example.org
  wasmoor login --id-token id.jwt`,
		Args: cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			token, err := p.idToken(cmd.Context(), c, idToken, audience, &rule)
			if err != nil {
				return err
			}
			made, err := c.Login(cmd.Context(), adminapi.Login{Token: token, Rule: rule})
			if err != nil {
				return err
			}
			expires := time.Now().Add(time.Hour)
			if made.Expires != nil {
				expires = *made.Expires
			}
			file, err := p.SaveLogin(made.Secret, expires)
			if err != nil {
				return err
			}
			p.Note("logged in as %s: %s of %s%s, until %s; kept in %s",
				made.Name, made.Role, made.Plugins, ofTeam(made.Team), term.Date(expires), file)
			return nil
		})
	})
	p.Flags(cmd.Flags())
	cmd.Flags().StringVar(&rule, "rule", "", "log in by this rule of trust (default the one of the highest role)")
	cmd.Flags().StringVar(&idToken, "id-token", "", "file with an ID token, - for standard input (env WASMOOR_ID_TOKEN has the token itself)")
	cmd.Flags().StringVar(&audience, "audience", "wasmoor", "whom an ID token of GitHub Actions is to be for")
	return cmd
}

// idToken gets an ID token: the one that is given, that of a run of CI, or that of
// who logs in in the browser.
func (p *Commands) idToken(ctx context.Context, c *client.Client, file, audience string, rule *string) (string, error) {
	if file == "-" {
		data, err := cli.ReadBounded(p.Stdin, "standard input", "read the ID token", 16<<10)
		return strings.TrimSpace(string(data)), err
	}
	if file != "" {
		data, err := cli.ReadFile(ctx, file, "read the ID token", 16<<10)
		return strings.TrimSpace(string(data)), err
	}
	if token := p.Getenv("WASMOOR_ID_TOKEN"); token != "" {
		return strings.TrimSpace(token), nil
	}
	if address := p.Getenv("ACTIONS_ID_TOKEN_REQUEST_URL"); address != "" {
		return askGitHub(ctx, address, p.Getenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN"), audience)
	}
	at, err := p.loginAt(ctx, c, *rule)
	if err != nil {
		return "", err
	}
	*rule = at.Rule
	return p.browse(ctx, at)
}

// loginAt returns where people log in, by a rule or by the only one.
func (p *Commands) loginAt(ctx context.Context, c *client.Client, rule string) (adminapi.LoginAt, error) {
	all, err := c.Logins(ctx)
	if err != nil {
		return adminapi.LoginAt{}, err
	}
	var names []string
	for _, at := range all {
		if at.Rule == rule || rule == "" && len(all) == 1 {
			return at, nil
		}
		names = append(names, at.Rule)
	}
	if len(names) == 0 {
		return adminapi.LoginAt{}, fault.New(fault.NotFound, "log in", "people do not log in at this server; an owner lets them with: wasmoor trust set NAME --login")
	}
	return adminapi.LoginAt{}, cli.Usage("name with --rule where to log in: %s", strings.Join(names, ", "))
}

// askGitHub asks GitHub for the ID token of the job that runs.
func askGitHub(ctx context.Context, address, bearer, audience string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", fault.Wrap(fault.Invalid, "ask GitHub for an ID token", "ACTIONS_ID_TOKEN_REQUEST_URL is no URL", err)
	}
	query := u.Query()
	query.Set("audience", audience)
	u.RawQuery = query.Encode()
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	resp, err := new(http.Client).Do(req)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "ask GitHub for an ID token", "", err)
	}
	defer func() { _ = resp.Body.Close() }()
	var out struct {
		Value string `json:"value"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 64<<10)).Decode(&out)
	if err != nil || resp.StatusCode != http.StatusOK || out.Value == "" {
		return "", fault.New(fault.Unavailable, "ask GitHub for an ID token", fmt.Sprintf(
			"GitHub answers %s; does the job have the permission id-token: write?", resp.Status))
	}
	return out.Value, nil
}

// browse lets a person log in in the browser, and takes the ID token from there: the
// code flow with PKCE, back to a port of this machine.
func (p *Commands) browse(ctx context.Context, at adminapi.LoginAt) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, loginTime)
	defer cancel()
	ctx = oidc.ClientContext(ctx, &http.Client{Timeout: 30 * time.Second})
	provider, err := oidc.NewProvider(ctx, at.Issuer)
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "log in", "the issuer "+at.Issuer+" does not answer as one", err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", fault.Wrap(fault.Unavailable, "log in", "no port of this machine is free for the browser to come back to", err)
	}
	config := &oauth2.Config{
		ClientID: at.Client, Endpoint: provider.Endpoint(), Scopes: []string{oidc.ScopeOpenID, "email", "profile"},
		RedirectURL: "http://" + ln.Addr().String() + "/callback",
	}
	state, nonce, verifier := rand.Text(), rand.Text(), oauth2.GenerateVerifier()
	p.Note("open this address in a browser and log in:\n\n  %s\n",
		config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)))
	code, err := callback(ctx, ln, state)
	if err != nil {
		return "", err
	}
	tokens, err := config.Exchange(ctx, code, oauth2.VerifierOption(verifier))
	if err != nil {
		if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok { // its text is the issuer's, as it came
			err = fmt.Errorf("it answers %s, %.60q, %.200q", refused.Response.Status, refused.ErrorCode, refused.ErrorDescription)
		}
		return "", fault.Wrap(fault.Unavailable, "log in", "the issuer gives no token for the code", err)
	}
	raw, _ := tokens.Extra("id_token").(string)
	verified, err := provider.VerifierContext(ctx, &oidc.Config{ClientID: at.Client}).Verify(ctx, raw)
	if err != nil || verified.Nonce != nonce {
		return "", fault.Wrap(fault.Unauthenticated, "log in", "the issuer's ID token is not the one that was asked for", err)
	}
	return raw, nil
}

// callback waits for the browser to come back with a code.
func callback(ctx context.Context, ln net.Listener, state string) (string, error) {
	type result struct{ code, problem string }
	results := make(chan result, 1)
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		query := r.URL.Query()
		if r.URL.Path != "/callback" || query.Get("state") != state {
			http.Error(w, "this is not the answer to the log-in that waits here", http.StatusBadRequest)
			return
		}
		got := result{code: query.Get("code")}
		if got.code == "" {
			got.problem = cmp.Or(query.Get("error_description"), query.Get("error"), "no code")
		}
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = io.WriteString(w, "You may close this page: the log-in goes on in the terminal.\n")
		select {
		case results <- got:
		default:
		}
	})}
	go func() { _ = server.Serve(ln) }()
	defer func() {
		end, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		_ = server.Shutdown(end)
	}()
	select {
	case got := <-results:
		if got.problem != "" {
			return "", fault.New(fault.Denied, "log in", fmt.Sprintf("the issuer says: %.200q", got.problem))
		}
		return got.code, nil
	case <-ctx.Done():
		return "", fault.Wrap(fault.Deadline, "log in", "nobody logged in", context.Cause(ctx))
	}
}

// TrustCommand returns `wasmoor trust`.
func (p *Commands) TrustCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "trust",
		Short: "Say whose ID tokens of OIDC are taken, and what their holders may do",
		Long: `A rule of trust lets in who has an ID token of an issuer, for an audience, that says
what its claims want: runs of CI, which then need no lasting token, or people who log
in in the browser (--login).`,
	})
	for _, sub := range []*cobra.Command{p.trustSetCommand(), p.trustListCommand(), p.trustDeleteCommand()} {
		p.Flags(sub.Flags())
		cmd.AddCommand(sub)
	}
	return cmd
}

func (p *Commands) trustSetCommand() *cobra.Command {
	var spec adminapi.RuleSpec
	var claims []string
	var lasts time.Duration
	cmd := p.Does(&cobra.Command{
		Use:   "set NAME --issuer URL --audience TEXT --claim NAME=VALUE --role ROLE",
		Short: "Make a rule, or change it",
		Example: `  wasmoor trust set shop-ci --issuer https://token.actions.githubusercontent.com \
      --audience wasmoor --claim repository=acme/shop --claim ref=refs/heads/main \
      --role deployer --plugins "shop,shop-*"
  wasmoor trust set people --login --issuer https://accounts.example.org \
      --audience CLIENT-ID --claim "email=*@example.org" --role viewer`,
		Args: cli.Takes("NAME"),
	}, func(cmd *cobra.Command, args []string) error {
		spec.Claims = map[string]string{}
		for _, claim := range claims {
			name, value, ok := strings.Cut(claim, "=")
			if !ok || name == "" || value == "" {
				return cli.Usage("--claim: %q is not NAME=VALUE", claim)
			}
			spec.Claims[name] = value
		}
		for _, need := range []struct{ flag, value string }{{"issuer", spec.Issuer}, {"audience", spec.Audience}, {"role", spec.Role}} {
			if need.value == "" {
				return cli.Usage("--%s is missing", need.flag)
			}
		}
		spec.Seconds = int64(lasts / time.Second)
		return p.Talk(func(c *client.Client) error {
			if err := c.SetRule(cmd.Context(), args[0], spec); err != nil {
				return err
			}
			p.Note("set the rule %s", args[0])
			return nil
		})
	})
	flags := cmd.Flags()
	flags.StringVar(&spec.Issuer, "issuer", "", "who signs the ID tokens, a URL")
	flags.StringVar(&spec.Audience, "audience", "", "whom they must be for; with --login, the client id")
	flags.StringArrayVar(&claims, "claim", nil, "what they must say, NAME=VALUE with * for any characters; may be repeated")
	flags.StringVar(&spec.Role, "role", "", "viewer, deployer, operator or owner")
	flags.StringVar(&spec.Plugins, "plugins", "", "for which plugins: names with * for any characters, with commas between (default all)")
	flags.StringVar(&spec.Team, "team", "", "for the plugins of this team alone")
	flags.BoolVar(&spec.Login, "login", false, "for people, who log in in the browser")
	flags.BoolVar(&spec.Private, "private", false, "the issuer may be in a private network")
	flags.DurationVar(&lasts, "lasts", 0, "how long a log-in lasts, at most 24h (default 15m, with --login 12h)")
	return cmd
}

func (p *Commands) trustListCommand() *cobra.Command {
	return p.Reads(p.Does(&cobra.Command{
		Use:   "list",
		Short: "List the rules",
		Args:  cli.Takes(),
	}, func(cmd *cobra.Command, _ []string) error {
		return p.Talk(func(c *client.Client) error {
			rules, err := c.Rules(cmd.Context())
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, term.List(rules))
			}
			var rows [][]string
			for _, r := range rules {
				rows = append(rows, []string{r.Name, r.Issuer, r.Audience, claimsText(r.Claims), r.Role, r.Plugins, dash(r.Team)})
			}
			return p.Table("no rules yet; make one with: wasmoor trust set", "NAME ISSUER AUDIENCE CLAIMS ROLE PLUGINS TEAM", rows)
		})
	}))
}

func claimsText(claims map[string]string) string {
	var items []string
	for name, value := range claims {
		items = append(items, name+"="+value)
	}
	slices.Sort(items)
	return strings.Join(items, ",")
}

func (p *Commands) trustDeleteCommand() *cobra.Command {
	return p.Does(&cobra.Command{
		Use:   "delete NAME",
		Short: "Delete a rule; who it has let in stays until the log-in ends",
		Args:  cli.Takes("NAME"),
	}, func(cmd *cobra.Command, args []string) error {
		return p.Talk(func(c *client.Client) error {
			if err := c.DeleteRule(cmd.Context(), args[0]); err != nil {
				return err
			}
			p.Note("deleted the rule %s", args[0])
			return nil
		})
	})
}
