-- The one way by which sealed values leave for a person: only while the grant runs, and never without an audit entry.
--
-- KEYS  1 request:R   2 audit   3 audit:number
-- ARGV  1 skew, ms   2 prefix of all keys   3 who reads   4 audit entry, with %NOW% where the time goes
-- Answer  { 'ok', now, environment id, head body, entry id, sealed entry, ... }   { 'gone' }   { 'holder' }   { 'state', state }   { 'over', state }

local request = redis.call('HMGET', KEYS[1], 'state', 'until', 'holder', 'environment', 'kind')
if not request[1] or request[5] ~= 'open' then return { 'gone' } end
if request[3] ~= ARGV[3] then return { 'holder' } end
if request[1] ~= 'active' then return { 'state', request[1] } end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1]
if now >= tonumber(request[2]) then return { 'over', request[1] } end
local head = redis.call('HMGET', ARGV[2] .. 'head:' .. request[4], 'body', 'entries')
if not head[1] then return { 'gone' } end
local answer = { 'ok', string.format('%.0f', now), request[4], head[1] }
for id in string.gmatch(head[2], '%S+') do
  answer[#answer + 1] = id
  answer[#answer + 1] = redis.call('HGET', ARGV[2] .. 'entries:' .. request[4], id)
end
local entry = string.gsub(ARGV[4], '%%NOW%%', string.format('%.0f', now))
redis.call('XADD', KEYS[2], redis.call('INCR', KEYS[3]) .. '-0', 'entry', entry)
return answer
