package eventlog

import "context"

// Drain lets nothing more be delivered, and returns when all that was is acknowledged or
// refused, or ctx ends. Appending goes on. It is for an owner that is about to call
// [Partition.Close], so that the next one delivers nothing again.
func (p *Partition) Drain(ctx context.Context) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.settled == nil {
		p.settled = make(chan struct{}, 1)
	}
	for p.err == nil && p.isDelivering() {
		p.mu.Unlock()
		select {
		case <-p.settled:
		case <-ctx.Done():
		case <-p.done:
		}
		p.mu.Lock()
		if ctx.Err() != nil {
			return
		}
	}
}

func (p *Partition) isDelivering() bool {
	for _, l := range p.logs() {
		for _, g := range l.groups {
			for _, c := range g.consumers {
				if len(c.delivered) > 0 {
					return true
				}
			}
		}
	}
	return false
}

// hasSettled lets Drain look again. It is called with the lock.
func (p *Partition) hasSettled() {
	if p.settled != nil {
		select {
		case p.settled <- struct{}{}:
		default:
		}
	}
}
