// What `client_servers` asks of Node: each target shows one thing that Node's
// own server does. `connections` is how many it has accepted so far.
'use strict'

const http = require('node:http')

let connections = 0

const targets = {
  '/echo': (req, res) => {
    res.writeHead(200, { 'X-Method': req.method })
    res.flushHeaders()
    req.pipe(res)
  },
  '/lines': (req, res) => res.end(JSON.stringify(req.rawHeaders)),
  '/trailers': (req, res) => {
    res.writeHead(200, 'Fine', { Trailer: 'X-Got' })
    req.resume().on('end', () => {
      res.write('body')
      res.addTrailers({ 'X-Got': req.trailers['x-sum'] })
      res.end()
    })
  },
  '/hints': (req, res) => {
    res.writeProcessing()
    res.writeEarlyHints({ link: '</style.css>; rel=preload' }, () => res.end('hinted'))
  },
  '/cookies': (req, res) => {
    res.setHeader('Set-Cookie', ['a=1', 'b=2'])
    res.writeHead(204)
    res.end()
  },
  '/hang-up': (req) => req.socket.destroy(),
  '/half': (req, res) => {
    res.writeHead(200, { 'Content-Length': 10 })
    res.write('half', () => req.socket.destroy())
  },
  '/last': (req, res) => {
    res.shouldKeepAlive = false
    res.end('last')
  },
  '/connections': (req, res) => res.end(String(connections)),
  '/refuse': (req, res) => {
    res.writeHead(413, { Connection: 'close' })
    res.end('too much')
  }
}

const server = http.createServer((req, res) => targets[req.url](req, res))

server.on('connection', () => { connections += 1 })

server.on('checkContinue', (req, res) => {
  if (req.url === '/refuse') return targets['/refuse'](req, res)
  res.writeContinue()
  targets[req.url](req, res)
})

const takeOver = (answer) => (req, socket, head) => {
  socket.write(answer)
  socket.write(head)
  socket.on('error', () => socket.destroy())
  socket.pipe(socket)
}
server.on('upgrade', takeOver('HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n'))
server.on('connect', takeOver('HTTP/1.1 200 Connection established\r\n\r\n'))

server.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${server.address().port}`))
