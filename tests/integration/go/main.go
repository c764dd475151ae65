// SPDX-License-Identifier: Apache-2.0

// What MQTT promises, as two clients in Go see it: main HOST:PORT TOPIC. Prints what they saw as JSON.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"sort"
	"sync"
	"time"

	"github.com/eclipse/paho.golang/paho"
	old "github.com/eclipse/paho.mqtt.golang"
)

const patience = 10 * time.Second

var (
	address, top string
	seen         = map[string]interface{}{}
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func until(what string, done func() bool) {
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			panic("not in time: " + what)
		}
	}
}

func within() context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	_ = cancel
	return ctx
}

func u16(n uint16) *uint16 { return &n }
func u32(n uint32) *uint32 { return &n }

// ---- 5.0 ----

type client struct {
	*paho.Client
	conn  net.Conn
	mutex sync.Mutex
	got   []*paho.Publish
}

func (c *client) messages() []*paho.Publish {
	c.mutex.Lock()
	defer c.mutex.Unlock()
	return append([]*paho.Publish{}, c.got...)
}

func (c *client) texts() []string {
	texts := []string{}
	for _, m := range c.messages() {
		texts = append(texts, string(m.Payload))
	}
	return texts
}

func connect(p *paho.Connect) (*client, *paho.Connack) {
	conn, err := net.Dial("tcp", address)
	must(err)
	c := &client{conn: conn}
	p.KeepAlive = 30
	c.Client = paho.NewClient(paho.ClientConfig{Conn: conn, Router: paho.NewSingleHandlerRouter(func(m *paho.Publish) {
		c.mutex.Lock()
		c.got = append(c.got, m)
		c.mutex.Unlock()
	})})
	answer, err := c.Connect(within(), p)
	must(err)
	return c, answer
}

func fresh() *client {
	c, _ := connect(&paho.Connect{CleanStart: true})
	return c
}

func (c *client) listen(filter string, options paho.SubscribeOptions) {
	_, err := c.Subscribe(within(), &paho.Subscribe{Subscriptions: map[string]paho.SubscribeOptions{filter: options}})
	must(err)
}

func (c *client) say(p *paho.Publish) {
	_, err := c.Publish(within(), p)
	must(err)
}

func everyQos() {
	hears, speaks := fresh(), fresh()
	hears.listen(top+"/qos", paho.SubscribeOptions{QoS: 2})
	for qos := byte(0); qos < 3; qos++ {
		speaks.say(&paho.Publish{Topic: top + "/qos", QoS: qos, Payload: []byte{'0' + qos}})
	}
	until("every QoS", func() bool { return len(hears.messages()) == 3 })
	levels := []int{}
	for _, m := range hears.messages() {
		levels = append(levels, int(m.QoS))
	}
	seen["qos"] = levels
}

func retained() {
	speaks := fresh()
	speaks.say(&paho.Publish{Topic: top + "/kept", QoS: 1, Retain: true, Payload: []byte("kept")})
	hears := fresh()
	hears.listen(top+"/kept", paho.SubscribeOptions{QoS: 1})
	until("what is retained", func() bool { return len(hears.messages()) == 1 })
	seen["retained"] = hears.texts() // this version of the library does not read the flag
	speaks.say(&paho.Publish{Topic: top + "/kept", QoS: 1, Retain: true})
}

func will() {
	hears := fresh()
	hears.listen(top+"/will", paho.SubscribeOptions{QoS: 1})
	dying, _ := connect(&paho.Connect{CleanStart: true,
		WillMessage: &paho.WillMessage{Topic: top + "/will", Payload: []byte("gone"), QoS: 1}})
	must(dying.conn.Close())
	until("the will", func() bool { return len(hears.messages()) == 1 })
	seen["will"] = hears.texts()
}

func session() {
	again := func(clean bool) (*client, bool) {
		c, answer := connect(&paho.Connect{ClientID: top + "-session", CleanStart: clean,
			Properties: &paho.ConnectProperties{SessionExpiryInterval: u32(100)}})
		return c, answer.SessionPresent
	}
	c, before := again(true)
	c.listen(top+"/session", paho.SubscribeOptions{QoS: 1})
	must(c.Disconnect(&paho.Disconnect{}))
	speaks := fresh()
	for i := 0; i < 5; i++ {
		speaks.say(&paho.Publish{Topic: top + "/session", QoS: 1, Payload: []byte(fmt.Sprint(i))})
	}
	c, after := again(false)
	until("what waited", func() bool { return len(c.messages()) == 5 })
	seen["session"] = []interface{}{before, after, c.texts()}
}

func shared() {
	members, speaks := []*client{fresh(), fresh()}, fresh()
	for _, m := range members {
		m.listen("$share/go/"+top+"/shared", paho.SubscribeOptions{QoS: 1})
	}
	for i := 0; i < 10; i++ {
		speaks.say(&paho.Publish{Topic: top + "/shared", QoS: 1, Payload: []byte(fmt.Sprint(i))})
	}
	until("the shared ones", func() bool { return len(members[0].messages())+len(members[1].messages()) == 10 })
	all := append(members[0].texts(), members[1].texts()...)
	sort.Strings(all)
	seen["shared"] = []interface{}{all, len(members[0].messages()), len(members[1].messages())}
}

func alias() {
	hears, speaks := fresh(), fresh()
	hears.listen(top+"/alias", paho.SubscribeOptions{QoS: 1})
	for i, name := range []string{top + "/alias", "", ""} {
		speaks.say(&paho.Publish{Topic: name, QoS: 1, Payload: []byte(fmt.Sprint(i)),
			Properties: &paho.PublishProperties{TopicAlias: u16(3)}})
	}
	until("messages by alias", func() bool { return len(hears.messages()) == 3 })
	seen["alias"] = hears.texts()
}

// flow: more than the window allows, each way; the client waits for room of itself.
func flow() {
	hears, _ := connect(&paho.Connect{CleanStart: true, Properties: &paho.ConnectProperties{ReceiveMaximum: u16(3)}})
	speaks, answer := connect(&paho.Connect{CleanStart: true})
	hears.listen(top+"/flow", paho.SubscribeOptions{QoS: 2})
	var group sync.WaitGroup
	for i := 0; i < 100; i++ {
		group.Add(1)
		go func(i int) {
			defer group.Done()
			speaks.say(&paho.Publish{Topic: top + "/flow", QoS: byte(1 + i%2), Payload: []byte(fmt.Sprint(i))})
		}(i)
	}
	group.Wait()
	until("all of them", func() bool { return len(hears.messages()) == 100 })
	different := map[string]bool{}
	for _, text := range hears.texts() {
		different[text] = true
	}
	seen["flow"] = []interface{}{len(different), answer.Properties.ReceiveMaximum != nil}
}

// ---- 3.1.1 ----

func ended(t old.Token) {
	if !t.WaitTimeout(patience) {
		panic("not in time")
	}
	must(t.Error())
}

func oldest() {
	var mutex sync.Mutex
	texts := []string{}
	options := func(id string, clean bool) *old.ClientOptions {
		return old.NewClientOptions().AddBroker("tcp://" + address).SetClientID(id).SetCleanSession(clean).
			SetProtocolVersion(4).SetAutoReconnect(false)
	}
	got := func(_ old.Client, m old.Message) {
		mutex.Lock()
		texts = append(texts, fmt.Sprint(string(m.Payload()), m.Qos()))
		mutex.Unlock()
	}
	hears := old.NewClient(options(top+"-old", false).SetDefaultPublishHandler(got))
	ended(hears.Connect())
	ended(hears.Subscribe(top+"/old", 2, nil))
	speaks := old.NewClient(options(top+"-older", true))
	ended(speaks.Connect())
	for qos := byte(0); qos < 3; qos++ {
		ended(speaks.Publish(top+"/old", qos, false, "here "))
	}
	count := func(n int) func() bool {
		return func() bool {
			mutex.Lock()
			defer mutex.Unlock()
			return len(texts) == n
		}
	}
	until("3.1.1, every QoS", count(3))
	hears.Disconnect(100)
	ended(speaks.Publish(top+"/old", 2, false, "away "))
	hears = old.NewClient(options(top+"-old", false).SetDefaultPublishHandler(got))
	ended(hears.Connect())
	until("3.1.1, what waited", count(4))
	mutex.Lock()
	seen["old"] = texts
	mutex.Unlock()
}

func main() {
	address, top = os.Args[1], os.Args[2]
	for _, part := range []func(){everyQos, retained, will, session, shared, alias, flow, oldest} {
		part()
	}
	must(json.NewEncoder(os.Stdout).Encode(seen))
}
