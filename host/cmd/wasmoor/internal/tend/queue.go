package tend

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/term"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// QueueCommand returns `wasmoor queue`.
func (p *Commands) QueueCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "queue",
		Short: "Show and tend the queues of plugins",
		Long: `A message that was handled is gone. One whose handler has failed as often as its queue
allows, or has refused it, is a dead letter for the retention of the queue. Webhooks wait in
the queue "webhooks" until their receivers take them.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.Quick(p.Reads(p.queueList())), p.Quick(p.Reads(p.queuePeek())), p.Quick(p.Reads(p.queueRetry())), p.Quick(p.Reads(p.queuePurge())),
		p.Quick(p.queuePause("pause", "Keep the messages of a queue from being handled", "paused; what is being handled goes on", true)),
		p.Quick(p.queuePause("resume", "Let the messages of a queue be handled again", "handled again", false)))
	return cmd
}

func (p *Commands) queueList() *cobra.Command {
	return p.Does(&cobra.Command{
		Use:               "list NAME",
		Short:             "List the queues of a plugin",
		Args:              cli.Takes("NAME"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			queues, err := c.Queues(cmd.Context(), args[0])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, term.List(queues))
			}
			var rows [][]string
			for _, q := range queues {
				rows = append(rows, []string{
					q.Name, conditionOf(&q), fmt.Sprint(q.Waiting), fmt.Sprint(q.Handling), oldest(q.Age), fmt.Sprint(q.Dead), fmt.Sprint(q.Handled), fmt.Sprint(q.Failed),
				})
			}
			return p.Table(fmt.Sprintf("%s has no queues", args[0]), "QUEUE STATE WAITING HANDLING OLDEST DEAD HANDLED FAILED", rows)
		})
	})
}

func conditionOf(q *adminapi.Queue) string {
	switch {
	case q.Paused:
		return "PAUSED"
	case !q.Declared:
		return "nobody handles it"
	}
	return "open"
}

func oldest(seconds float64) string {
	if seconds == 0 {
		return "-"
	}
	return time.Duration(seconds * float64(time.Second)).Round(time.Second).String()
}

func (p *Commands) queuePeek() *cobra.Command {
	var (
		dead  bool
		after string
		limit int
	)
	cmd := p.Does(&cobra.Command{
		Use:   "peek NAME QUEUE",
		Short: "Show messages of a queue, or its dead letters",
		Example: `  wasmoor queue peek shop mail
  wasmoor queue peek shop mail --dead`,
		Args:              cli.Takes("NAME", "QUEUE"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if limit < 1 || limit > 100 {
			return cli.Usage("--limit takes a number from 1 to 100")
		}
		q := adminapi.MessagesQuery{QueueRef: queueOf(args), Dead: dead, After: after, Limit: limit}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			page, err := c.QueueMessages(cmd.Context(), q)
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, page)
			}
			var rows [][]string
			for _, m := range page.Messages {
				body := m.Body
				if m.Base64 {
					body = "base64:" + body
				}
				if m.URL != "" {
					body = m.URL + " " + body
				}
				rows = append(rows, []string{m.ID, m.Sent.Local().Format(time.DateTime), fmt.Sprint(m.Attempts), m.Key, m.Problem, fmt.Sprint(m.Size), short(body)})
			}
			if err := p.Table("no messages", "ID SENT ATTEMPTS KEY PROBLEM SIZE BODY", rows); err != nil {
				return err
			}
			if page.More {
				p.Note("there are more; see them with --after %s", page.Messages[len(page.Messages)-1].ID)
			}
			return nil
		})
	})
	cmd.Flags().BoolVar(&dead, "dead", false, "its dead letters")
	cmd.Flags().StringVar(&after, "after", "", "those after the message with this id")
	cmd.Flags().IntVar(&limit, "limit", 20, "at most so many")
	return cmd
}

// short returns the start of a body on one line.
func short(body string) string {
	const most = 60
	runes := []rune(body)
	if len(runes) > most {
		return string(runes[:most-1]) + "…"
	}
	return body
}

func queueOf(args []string) adminapi.QueueRef {
	return adminapi.QueueRef{PluginRef: adminapi.PluginRef{Name: args[0]}, Queue: args[1]}
}

func (p *Commands) queueRetry() *cobra.Command {
	var all bool
	cmd := p.Does(&cobra.Command{
		Use:   "retry NAME QUEUE ID...|--all",
		Short: "Handle dead letters again",
		Long: `A dead letter becomes a message again, with its id and at its old place in the order, as
if it had never been tried.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || all == (len(args) > 2) {
				return cli.Usage("give NAME QUEUE and ids, or NAME QUEUE --all")
			}
			return nil
		},
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			done, err := c.QueueRetry(cmd.Context(), args[0], args[1], args[2:])
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, done)
			}
			p.Note("%d dead letters of %s are messages again", done.Messages, args[1])
			return nil
		})
	})
	cmd.Flags().BoolVar(&all, "all", false, "every dead letter of the queue")
	return cmd
}

func (p *Commands) queuePurge() *cobra.Command {
	var dead bool
	cmd := p.Does(&cobra.Command{
		Use:   "purge NAME QUEUE",
		Short: "Remove the messages of a queue, or its dead letters",
		Long: `A message that is being handled is handled, or is taken back whole. Ids that senders
gave stay known: a message that was purged is not sent again by a repeat.`,
		Args:              cli.Takes("NAME", "QUEUE"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			done, err := c.QueuePurge(cmd.Context(), args[0], args[1], dead)
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, done)
			}
			what := "messages"
			if dead {
				what = "dead letters"
			}
			p.Note("%d %s of %s are gone", done.Messages, what, args[1])
			return nil
		})
	})
	cmd.Flags().BoolVar(&dead, "dead", false, "its dead letters")
	return cmd
}

func (p *Commands) queuePause(word, short, done string, paused bool) *cobra.Command {
	return p.Does(&cobra.Command{
		Use:               word + " NAME QUEUE",
		Short:             short,
		Args:              cli.Takes("NAME", "QUEUE"),
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			if err := c.QueuePause(cmd.Context(), args[0], args[1], paused); err != nil {
				return err
			}
			p.Note("queue %s of %s is %s", args[1], args[0], done)
			return nil
		})
	})
}
