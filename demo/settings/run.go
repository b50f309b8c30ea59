package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/troupe-go/troupe/actor"
	"github.com/troupe-go/troupe/cluster"
	"github.com/troupe-go/troupe/cluster/config"
	"github.com/troupe-go/troupe/demo/internal/stage"
	"github.com/troupe-go/troupe/settings"
)

// operator is who changes the settings.
type operator struct {
	*stage.Stage
	node   *cluster.Node
	shared *config.Document
	shops  []string
}

func run(ctx context.Context, st *stage.Stage) error {
	o := &operator{Stage: st, shops: []string{"anna", "ben"}}
	if err := o.write(nodeFile, "expect: 3\nlog_level: info"); err != nil {
		return err
	}
	if err := o.write(shopFile, "greeting: Good morning\nprice: 3"); err != nil {
		return err
	}
	ofNode, err := settings.Load[cluster.Config](ctx, settings.File(filepath.Join(st.Dir, nodeFile)))
	if err != nil {
		return err
	}
	defer ofNode.Close()
	if o.node, err = st.Join(ctx, "operator", cluster.FromSettings(ofNode)); err != nil {
		return err
	}
	defer stage.Leave(o.node)
	if err := o.open(ctx); err != nil {
		return err
	}
	for _, act := range []func(context.Context) error{o.editFile, o.change, o.breakFile, o.breakCluster, o.rollBack, o.editNode} {
		if err := act(ctx); err != nil {
			return err
		}
	}
	return o.shared.Close()
}

// open starts the shops, and opens the settings that they share.
func (o *operator) open(ctx context.Context) (err error) {
	o.Say("Two shops open, in processes of their own: %s.", strings.Join(o.shops, " and "))
	var processes []*stage.Process
	for _, name := range o.shops {
		p, err := o.Start(name)
		if err != nil {
			return err
		}
		processes = append(processes, p)
	}
	// What is no Config of a shop is refused here, before it is written.
	o.shared, err = config.Open(ctx, o.node, document, config.Check(func(values map[string]any) error {
		trial, err := settings.Load[Config](ctx, settings.Map(values))
		if err == nil {
			trial.Close()
		}
		return err
	}))
	if err != nil {
		return err
	}
	for _, p := range processes {
		if err := p.Ready(ctx); err != nil {
			return err
		}
	}
	return o.await(ctx, "Good morning! Tea is 3.00.", "they have the settings of the file")
}

func (o *operator) editFile(ctx context.Context) error {
	if err := o.edit(shopFile, "greeting: Good evening\nprice: 3\ndiscount: 5"); err != nil {
		return err
	}
	return o.await(ctx, "Good evening! Tea is 2.85.", "they follow the file")
}

func (o *operator) change(ctx context.Context) error {
	o.Heading("In the settings of the cluster the discount becomes 20 per cent.")
	if err := o.set(ctx, 20, config.By("you"), config.Note("happy hour")); err != nil {
		return err
	}
	if err := o.await(ctx, "Good evening! Tea is 2.40.", "they follow the cluster"); err != nil {
		return err
	}
	state, err := o.inspect(ctx, o.shops[0])
	o.Note("%s explains: %s", o.shops[0], o.brief(state.Discount))
	return err
}

// set changes the discount for the cluster. A cluster that has no leader now gets one soon.
func (o *operator) set(ctx context.Context, discount int, options ...config.WriteOption) error {
	for {
		_, err := o.shared.Set(ctx, "discount", discount, options...)
		if !errors.Is(err, actor.Unavailable) {
			return err
		}
		if stage.Pause(ctx, 100*time.Millisecond) != nil {
			return err
		}
	}
}

func (o *operator) breakFile(ctx context.Context) error {
	if err := o.edit(shopFile, "greeting: Good night\nprice: cheap\ndiscont: 10"); err != nil {
		return err
	}
	var refused string
	err := o.until(ctx, func(shop string) (bool, error) {
		state, err := o.inspect(ctx, shop)
		refused = state.Refused
		return refused != "", err
	})
	if err != nil {
		return err
	}
	for line := range strings.Lines(o.brief(refused)) {
		o.Note("      %s", strings.TrimSpace(line))
	}
	o.Claim(strings.Contains(refused, "did you mean discount?"), "they refuse it, and say why")
	return o.still(ctx, "Good evening! Tea is 2.40.", "they go on with the last good settings")
}

func (o *operator) breakCluster(ctx context.Context) error {
	if err := o.edit(shopFile, "greeting: Good night"); err != nil {
		return err
	}
	if err := o.await(ctx, "Good night! Tea is 2.40.", "the file is good again, and they follow"); err != nil {
		return err
	}
	o.Heading("In the settings of the cluster the discount becomes 200 per cent.")
	_, err := o.shared.Set(ctx, "discount", 200)
	if !errors.Is(err, actor.InvalidArgument) {
		return fmt.Errorf("the discount of 200 per cent was not refused: %w", err)
	}
	o.Note("      %v", err)
	return o.still(ctx, "Good night! Tea is 2.40.", "it was refused when it was written, and reached no shop")
}

func (o *operator) rollBack(ctx context.Context) error {
	o.Heading("It becomes 90 per cent, which is a mistake of another kind.")
	if err := o.set(ctx, 90, config.By("a colleague")); err != nil {
		return err
	}
	if err := o.await(ctx, "Good night! Tea is 0.30.", "that could not be known, and they follow"); err != nil {
		return err
	}
	if _, err := o.shared.Rollback(ctx, 1, config.By("you")); err != nil {
		return err
	}
	if err := o.await(ctx, "Good night! Tea is 2.40.", "after a roll-back they have what they had"); err != nil {
		return err
	}
	history, err := o.shared.History(ctx, 0)
	for _, v := range history {
		o.Note("      version %d by %s: %v %s", v.Number, v.Author, v.Values, v.Note)
	}
	return err
}

func (o *operator) editNode(ctx context.Context) error {
	if err := o.edit(nodeFile, "expect: 3\nlog_level: warn\nvoters: 1"); err != nil {
		return err
	}
	var waiting []string
	err := o.until(ctx, func(shop string) (bool, error) {
		state, err := o.inspect(ctx, shop)
		waiting = state.Restart
		return len(waiting) > 0, err
	})
	if err != nil {
		return err
	}
	o.Claim(len(waiting) == 1 && waiting[0] == "voters", "the nodes say what waits for a restart: %s; the log level does not", strings.Join(waiting, ", "))
	return nil
}

// edit is [operator.write], which it tells of.
func (o *operator) edit(name, content string) error {
	o.Heading("The file %s is now", name)
	for line := range strings.Lines(content) {
		o.Note("      %s", strings.TrimSpace(line))
	}
	return o.write(name, content)
}

// write replaces a file as editors do: nobody ever sees half of it.
func (o *operator) write(name, content string) error {
	path := filepath.Join(o.Dir, name)
	if err := os.WriteFile(path+".new", []byte(content+"\n"), 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// await waits until all shops make that offer.
func (o *operator) await(ctx context.Context, offer, what string) error {
	began := time.Now()
	err := o.until(ctx, func(shop string) (bool, error) {
		made, err := o.tea(ctx, shop)
		return made == offer, err
	})
	if err == nil {
		o.Claim(true, "%s, after %s: %q", what, stage.Brief(time.Since(began)), offer)
	}
	return err
}

// still looks whether all shops make that offer.
func (o *operator) still(ctx context.Context, offer, what string) error {
	same := true
	for _, shop := range o.shops {
		made, err := o.tea(ctx, shop)
		if err != nil {
			return err
		}
		same = same && made == offer
	}
	o.Claim(same, "%s: %q", what, offer)
	return nil
}

// until waits until condition holds for all shops.
func (o *operator) until(ctx context.Context, condition func(shop string) (bool, error)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, 10*time.Second, errors.New("the shops do not follow"))
	defer cancel()
	for _, shop := range o.shops {
		for {
			holds, err := condition(shop)
			if err != nil && !errors.Is(err, actor.Unavailable) {
				return err
			}
			if holds {
				break
			}
			if err := stage.Pause(ctx, 10*time.Millisecond); err != nil {
				return err
			}
		}
	}
	return nil
}

func (o *operator) tea(ctx context.Context, shop string) (string, error) {
	return actor.Ask(ctx, cluster.Service[Shop](o.node, shop), Tea{})
}

func (o *operator) inspect(ctx context.Context, shop string) (State, error) {
	return actor.Ask(ctx, cluster.Service[Shop](o.node, shop), Inspect{})
}

// brief leaves out the temporary folder.
func (o *operator) brief(text string) string {
	return strings.ReplaceAll(text, o.Dir+string(filepath.Separator), "")
}
