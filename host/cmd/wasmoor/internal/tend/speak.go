package tend

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/coder/websocket"
	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

func (p *Commands) triggerSocket() *cobra.Command {
	var (
		headers []string
		count   int
	)
	cmd := p.Does(&cobra.Command{
		Use:   "socket NAME PATH",
		Short: "Open a WebSocket, and speak on it",
		Long: `It is opened as any client opens it, at PATH below the plugin's mount. Each line of standard
input is a message, and each message that comes is printed. It ends when the plugin closes
it, after --count messages, or with Ctrl-C.`,
		Example: `  wasmoor trigger socket chat /rooms/1
  echo hello | wasmoor trigger socket chat /rooms/1 --count 1 -H "Cookie: session=abc"`,
		Args:              cli.Takes("NAME", "PATH"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		header := http.Header{}
		switch err := cli.AddHeader(header, headers); {
		case err != nil:
			return err
		case !strings.HasPrefix(args[1], "/"):
			return cli.Usage("PATH begins with a slash and is below the plugin's mount, such as /rooms/1")
		case count < 0:
			return cli.Usage("--count takes a number from 0")
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			url, err := urlOf(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			return p.speak(cmd.Context(), url+args[1], header, count)
		})
	})
	flags := cmd.Flags()
	flags.StringArrayVarP(&headers, "header", "H", nil, `header field, "Name: value"; may be repeated`)
	flags.IntVar(&count, "count", 0, "end after so many messages have come; 0 = do not")
	return cmd
}

// urlOf returns where clients reach a plugin, without a slash at the end.
func urlOf(ctx context.Context, c *client.Client, name string) (string, error) {
	plugin, err := c.Plugin(ctx, name)
	if err != nil {
		return "", err
	}
	status, err := c.Status(ctx)
	if err != nil {
		return "", err
	}
	if len(plugin.Mount) == 0 {
		return "", fmt.Errorf("the server names no mount of plugin %q; see: wasmoor show %s", name, name)
	}
	return strings.TrimSuffix(term.RouteURLs(status.Public.URL, plugin.Mount[:1], nil, nil)[0], "/"), nil
}

// speak opens a WebSocket, and returns when it is over.
func (p *Commands) speak(ctx context.Context, url string, header http.Header, count int) error {
	conn, resp, err := websocket.Dial(ctx, url, &websocket.DialOptions{HTTPHeader: header}) //nolint:bodyclose // it is in memory
	if err != nil {
		if resp == nil || resp.StatusCode == http.StatusSwitchingProtocols {
			return fmt.Errorf("open a socket at %s: %w", url, err)
		}
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<10)) // that it is cut does no harm
		return fmt.Errorf("no socket is opened at %s; the answer is %s: %s", url, resp.Status, term.Printable(string(text)))
	}
	defer func() { _ = conn.CloseNow() }()
	conn.SetReadLimit(limits.SocketData)
	p.Note("a socket is open at %s", url)
	go p.say(ctx, conn)
	for heard := 0; count == 0 || heard < count; heard++ {
		kind, data, err := conn.Read(ctx)
		if err != nil {
			return p.over(ctx, err)
		}
		if err := p.heard(kind == websocket.MessageText, data); err != nil {
			return err
		}
	}
	_ = conn.Close(websocket.StatusNormalClosure, "") // the plugin may be gone already
	return nil
}

// say sends the lines of standard input. Its end is that of the input, or of the socket.
func (p *Commands) say(ctx context.Context, conn *websocket.Conn) {
	lines := bufio.NewScanner(p.Stdin)
	lines.Buffer(nil, limits.SocketData)
	for lines.Scan() {
		if conn.Write(ctx, websocket.MessageText, lines.Bytes()) != nil {
			return // whoever reads is told
		}
	}
	if err := lines.Err(); err != nil {
		p.Note("nothing more is read: %v", err)
	}
}

// spoken is a message in JSON.
type spoken struct {
	Text   *string `json:"text,omitempty"`
	Base64 string  `json:"base64,omitempty"` // of one that is no text
}

func (p *Commands) heard(isText bool, data []byte) error {
	text := string(data)
	switch {
	case p.AsJSON && isText:
		return p.JSON(spoken{Text: &text})
	case p.AsJSON:
		return p.JSON(spoken{Base64: base64.StdEncoding.EncodeToString(data)})
	case !isText:
		p.Note("%d bytes that are no text; see them with --json", len(data))
		return nil
	}
	_, err := fmt.Fprintln(p.Stdout, term.Printable(text))
	return err
}

// over tells how a socket has ended.
func (p *Commands) over(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil // with Ctrl-C
	}
	closed, ok := errors.AsType[websocket.CloseError](err)
	switch {
	case !ok:
		return fmt.Errorf("the socket was cut off: %w", err)
	case closed.Code == websocket.StatusNormalClosure:
		p.Note("the socket is closed %s", closed.Reason)
		return nil
	}
	return fmt.Errorf("the socket is closed with %d: %s", closed.Code, term.Printable(closed.Reason))
}
