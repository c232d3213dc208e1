package tend

import (
	"cmp"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/wasmoor/wasmoor/abi/limits"
	"github.com/wasmoor/wasmoor/host/cmd/wasmoor/internal/cli"
	"github.com/wasmoor/wasmoor/host/internal/adminapi"
	"github.com/wasmoor/wasmoor/host/internal/client"
)

// TriggerCommand returns `wasmoor trigger`.
func (p *Commands) TriggerCommand() *cobra.Command {
	cmd := p.Parent(&cobra.Command{
		Use:   "trigger",
		Short: "Fire a schedule or a queue of a plugin by hand, or speak on a socket",
		Long: `The handler cannot tell that it was by hand, but for the schedule, which tells it. In a
project's folder, the wasmoor dev that runs there is asked.`,
	})
	p.Flags(cmd.PersistentFlags())
	cmd.AddCommand(p.Reads(p.fireCron("cron")), p.Reads(p.triggerQueue()), p.Reads(p.triggerSocket()))
	return cmd
}

func (p *Commands) triggerQueue() *cobra.Command {
	var (
		in    adminapi.Send
		file  string
		delay time.Duration
		wait  time.Duration
	)
	cmd := p.Does(&cobra.Command{
		Use:   "queue NAME QUEUE [BODY|-]",
		Short: "Send a message to a queue",
		Long: `The message is BODY, or --file, or with - what comes on standard input. Without any it is
empty. It is sent as the plugin itself sends: within the same bounds, and with --id once.`,
		Example: `  wasmoor trigger queue shop mail '{"to":"ann@example.com"}' --wait
  wasmoor trigger queue shop mail --file order.json --key user/7 --delay 90s`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 2 {
				if file != "" {
					return cli.Usage("give BODY or --file, not both")
				}
				return cli.Takes("NAME", "QUEUE", "BODY")(nil, args)
			}
			return cli.Takes("NAME", "QUEUE")(nil, args)
		},
		ValidArgsFunction: p.CompletePlugins,
	}, func(cmd *cobra.Command, args []string) error {
		if delay < 0 || wait < 0 || wait > adminapi.MaxSendWait {
			return cli.Usage("--delay is not below zero, and --wait from 0s to %s", adminapi.MaxSendWait)
		}
		in.QueueRef = queueOf(args)
		in.Delay, in.Wait = duration(delay), duration(wait)
		body, err := p.messageBody(args, file)
		if err != nil {
			return err
		}
		return p.About(cmd.Context(), args[0], func(c *client.Client) error {
			sent, err := c.QueueSend(cmd.Context(), in, body)
			if err != nil || p.AsJSON {
				return p.JSONUnless(err, sent)
			}
			return p.showSent(in, sent)
		})
	})
	flags := cmd.Flags()
	flags.StringVar(&file, "file", "", "file with the message, taken byte for byte")
	flags.StringVar(&in.Key, "key", "", "messages that share one are handled in order")
	flags.StringVar(&in.ID, "id", "", "do not send it if one with this id was sent before")
	flags.DurationVar(&delay, "delay", 0, "keep it from being handled for so long")
	flags.DurationVar(&wait, "wait", 0, "wait until it is handled or a dead letter, at most so long")
	flags.Lookup("wait").NoOptDefVal = "30s"
	return cmd
}

// duration writes what a parameter takes; "" = 0.
func duration(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return d.String()
}

func (p *Commands) messageBody(args []string, file string) ([]byte, error) {
	switch {
	case file != "":
		return cli.ReadFile(p.Context(), file, "read the message", limits.QueueBody)
	case len(args) < 3:
		return nil, nil
	case args[2] == "-":
		return cli.ReadBounded(p.Stdin, "standard input", "read the message", limits.QueueBody)
	}
	return []byte(args[2]), nil
}

// showSent tells what became of a message. One that was to be waited for and is not
// handled is an error.
func (p *Commands) showSent(in adminapi.Send, sent adminapi.Sent) error {
	switch {
	case sent.State == adminapi.SentRepeated:
		p.Note("a message with the id %s was sent to %s of %s before; this one is dropped", in.ID, in.Queue, in.Name)
	case sent.State == adminapi.SentDead:
		return fmt.Errorf("message %s is a dead letter of %s of %s: %s", sent.ID, in.Queue, in.Name, cmp.Or(sent.Problem, "it was refused"))
	case in.Wait == "":
		p.Note("message %s is sent to %s of %s", sent.ID, in.Queue, in.Name)
	case sent.State == adminapi.SentHandled:
		p.Note("message %s of %s of %s is handled", sent.ID, in.Queue, in.Name)
	case sent.Attempts > 0:
		return fmt.Errorf("message %s is sent and not handled within %s; %d attempts have failed, the last one: %s", sent.ID, in.Wait, sent.Attempts, sent.Problem)
	default:
		return fmt.Errorf("message %s is sent and not handled within %s; see why with: wasmoor queue list %s", sent.ID, in.Wait, in.Name)
	}
	return nil
}
