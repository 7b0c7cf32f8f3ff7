package identity

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// sound checks that everything a cache says about itself agrees.
func sound[T any](t *testing.T, c *cache[T]) {
	t.Helper()
	weight, held, owned := 0, 0, 0
	for i, e := range c.ring {
		weight += e.weight
		if e.inRing != i || c.shard(e.key).held[e.key] != e || c.owners[e.owner].all[e.inOwned] != e {
			t.Fatalf("credential %d is not where it says", i)
		}
	}
	for i := range c.shards {
		held += len(c.shards[i].held)
	}
	for name, o := range c.owners {
		mine := 0
		for _, e := range o.all {
			if e != nil {
				mine++
			}
		}
		if mine != o.held || mine == 0 || len(o.all) > maxOwned {
			t.Fatalf("%s holds %d of %d, and says %d", name, mine, len(o.all), o.held)
		}
		owned += mine
	}
	if weight != c.weight || held != len(c.ring) || owned != held || weight > maxWeight {
		t.Fatalf("weight %d and %d, %d in the ring, %d held, %d owned", weight, c.weight, len(c.ring), held, owned)
	}
}

// Whatever happens in whatever order, the cache stays within its bounds and
// never answers with anything but what was last put in.
func TestCacheIsSound(t *testing.T) {
	c := newCache[int]()
	now := time.Unix(1_795_428_000, 0)
	random := rand.New(rand.NewPCG(1, 2))
	last := make(map[cacheKey]int)
	for i := range 60_000 {
		key := c.key("credential", strconv.Itoa(random.IntN(6000)))
		switch random.IntN(8) {
		case 0:
			c.drop(key)
			delete(last, key)
		case 1, 2, 3:
			ends := now.Add(time.Duration(random.IntN(100)-20) * time.Second)
			c.put(key, "owner "+strconv.Itoa(random.IntN(20)), i, random.IntN(maxOwn+100), now, ends)
			if _, found := c.get(key); found {
				last[key] = i
			}
		default:
			if got, found := c.get(key); found && got != last[key] {
				t.Fatalf("got %d, want %d", got, last[key])
			}
		}
		if i%997 == 0 {
			sound(t, c)
		}
	}
	sound(t, c)
}

// An agent with good tokens without end puts out its own, and nobody else's.
func TestAFloodPutsOutItsOwn(t *testing.T) {
	c := newCache[string]()
	now := time.Now()
	quiet := c.key("quiet")
	c.put(quiet, "quiet", "quiet", 2000, now, now.Add(time.Hour))
	for i := range 20 * maxOwned {
		c.put(c.key("flood", strconv.Itoa(i)), "flood", "", 2000, now, now.Add(time.Hour))
	}
	if _, found := c.get(quiet); !found {
		t.Error("a flood of one agent's tokens has put out another's")
	}
	if got := len(c.ring); got != maxOwned+1 {
		t.Errorf("%d credentials are held, want %d", got, maxOwned+1)
	}
	sound(t, c)
}

// Where everybody brings new tokens, those that are used stay, and those that
// have ended go first.
func TestWhatIsUsedStays(t *testing.T) {
	c := newCache[string]()
	now := time.Now()
	const weight = 8000
	room := maxWeight / (weight + entryWeight + 10)
	inUse := []cacheKey{c.key("used", "1"), c.key("used", "2"), c.key("used", "3")}
	for i, key := range inUse {
		c.put(key, "used "+strconv.Itoa(i), "used", weight, now, now.Add(time.Hour))
	}
	ended := c.key("ended")
	c.put(ended, "ended", "ended", weight, now, now)
	for i := range 3 * room {
		for _, key := range inUse {
			c.get(key)
		}
		c.get(ended)
		c.put(c.key("new", strconv.Itoa(i)), fmt.Sprintf("new%06d", i), "new", weight, now, now.Add(time.Hour))
	}
	for i, key := range inUse {
		if _, found := c.get(key); !found {
			t.Errorf("credential %d, which is used all the time, was put out", i)
		}
	}
	if _, found := c.get(ended); found {
		t.Error("what has ended is still there")
	}
	sound(t, c)
}

// A credential that takes much room is not remembered, whoever made it.
func TestHeavyCredentialsAreNotRemembered(t *testing.T) {
	c := newCache[string]()
	key := c.key("heavy")
	c.put(key, "owner", "heavy", maxOwn, time.Now(), time.Now().Add(time.Hour))
	if _, found := c.get(key); found || len(c.ring) != 0 {
		t.Error("it is remembered")
	}
	claims, ok := decodePart("eyJhIjpbMCwwLDAsMCwwLDAsMCwwLDAsMF19") // {"a":[0,0,0,0,0,0,0,0,0,0]}
	if weight := weigh(claims); !ok || weight < 10*72 {
		t.Errorf("ten values weigh %d bytes, less than they take", weight)
	}
}

func TestCacheKeys(t *testing.T) {
	c, other := newCache[int](), newCache[int]()
	lists := [][]string{{}, {""}, {"", ""}, {"a"}, {"a", ""}, {"", "a"}, {"ab", "c"}, {"a", "bc"}, {"abc"}, {strings.Repeat("x", 16)}, {strings.Repeat("x", 4096)}}
	seen := make(map[cacheKey]int)
	for i, parts := range lists {
		key := c.key(parts...)
		if before, twice := seen[key]; twice {
			t.Errorf("%q and %q have the same key", lists[before], parts)
		}
		seen[key] = i
		if key != c.key(parts...) {
			t.Errorf("%q has two keys", parts)
		}
		if key == other.key(parts...) {
			t.Errorf("%q has the same key in every cache: it is no secret", parts)
		}
	}
	// Every single bit counts.
	text := []byte(strings.Repeat("a credential. ", 20))
	whole := c.key(string(text))
	for i := range text {
		text[i] ^= 1
		if c.key(string(text)) == whole {
			t.Errorf("byte %d does not count", i)
		}
		text[i] ^= 1
	}
}

// The room in which a key was made holds nothing of the credential.
func TestKeyRoomIsCleared(t *testing.T) {
	var room *keyRoom
	k := newKeyer()
	k.atRest.New = func() any { room = new(keyRoom); return room }
	k.key("a secret of an agent")
	if strings.Contains(string(room.text[:cap(room.text)]), "secret") {
		t.Error("the credential is still there")
	}
}

// Many use and fill a cache at once; the race detector looks on.
func TestCacheTogether(t *testing.T) {
	c := newCache[int]()
	now := time.Now()
	var all sync.WaitGroup
	for worker := range 8 {
		all.Go(func() {
			for i := range 2000 {
				key := c.key(strconv.Itoa(i % 300))
				if got, found := c.get(key); found && got != i%300 {
					t.Errorf("got %d, want %d", got, i%300)
				}
				switch (i + worker) % 5 {
				case 0:
					c.put(key, strconv.Itoa(i%7), i%300, 20_000, now, now.Add(time.Minute))
				case 1:
					c.drop(key)
				}
			}
		})
	}
	all.Wait()
	sound(t, c)
}
