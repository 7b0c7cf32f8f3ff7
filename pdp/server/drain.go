package server

import (
	"context"
	"sync"
	"time"
)

// lastOutcomes is how long outcomes are taken after the last answer: twice what
// Envoy collects them for in the shipped configuration.
const lastOutcomes = 500 * time.Millisecond

// stop ends serving in order: health says so while everything is still
// answered, then checks end, then the outcomes of the last of them are taken.
// What they change is closed by the caller, afterwards.
func (d *doors) stop() {
	d.setReady(false)
	d.log.Info("stopping", "connections", d.connected.Load(), "pause", d.shutdown.Pause.D())
	d.pause()
	drained := make(chan struct{})
	go func() {
		d.drain()
		close(drained)
	}()
	select {
	case <-drained:
	case <-time.After(d.shutdown.Drain.D()):
		d.log.Warn("not everything under way ended in time", "drain", d.shutdown.Drain.D())
	}
	d.close()
}

// pause goes on answering until the proxies had time to notice, or none is
// connected any more.
func (d *doors) pause() {
	over := time.After(d.shutdown.Pause.D())
	look := time.NewTicker(20 * time.Millisecond)
	defer look.Stop()
	for d.connected.Load() > 0 {
		select {
		case <-over:
			return
		case <-look.C:
		}
	}
}

// drain ends checks, all listeners at once, and then what takes outcomes: Envoy
// sends those of the last requests with a delay.
func (d *doors) drain() {
	var checks sync.WaitGroup
	for _, l := range d.grpc {
		if !l.endless {
			checks.Go(l.server.GracefulStop)
		}
	}
	if d.agents != nil {
		checks.Go(func() { d.agents.server.Shutdown(context.Background()) }) // what does not end, close ends
	}
	checks.Wait()
	for _, l := range d.grpc {
		if l.endless {
			time.Sleep(lastOutcomes)
			l.server.Stop()
		}
	}
}

// close ends everything at once.
func (d *doors) close() {
	for _, l := range d.grpc {
		l.server.Stop()
		l.listener.Close()
	}
	if d.agents != nil {
		d.agents.server.Close()
		d.agents.listener.Close()
	}
	if d.http != nil {
		d.http.Close()
	}
	if d.ops != nil {
		d.ops.Close()
	}
	if d.operators != nil {
		d.operators.close()
	}
}
