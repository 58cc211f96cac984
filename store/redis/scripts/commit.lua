-- Commits all of it, or nothing. Its only rule is "if nobody moved it".
--
-- KEYS  1 command:C   2 audit   3 audit:number   4... what the operations name
-- ARGV  1 skew, ms   2 good until, ms (0: no bound)   3 fingerprint   4 answer   5 how long the answer is kept, s
--       6... operations, each: name, index of its first key, number of arguments, arguments
-- Answer  { 'ok', now }   { 'seen', fingerprint, answer }   { 'late', now }   { 'moved', key }
--
--   guard  key                          version               nothing is written, but it must not have moved
--   write  key                          version body field value ...   version 0: must not be there yet
--   set    key                          body                  a body that never changes: must not be there yet
--   fill   key                          field value ...       fields of a hash
--   adopt  key, key                                           the fields of the first move into the second
--   drop   key
--   rank   zset                         member score
--   unrank zset                         member
--   put    lane, effect                 member body           coalesces; counts a generation
--   audit  (audit)                      entry
-- Two passes: every guard before any write, because a script that fails half-way is not rolled back.

local time = redis.call('TIME')
local now = string.format('%.0f', time[1] * 1000 + math.floor(time[2] / 1000) + ARGV[1])
local seen = redis.call('HMGET', KEYS[1], 'fingerprint', 'answer')
if seen[1] then return { 'seen', seen[1], seen[2] } end
if tonumber(ARGV[2]) > 0 and tonumber(now) >= tonumber(ARGV[2]) then return { 'late', now } end

local function each(visit)
  local at = 6
  while ARGV[at] do
    local count = tonumber(ARGV[at + 2])
    visit(ARGV[at], tonumber(ARGV[at + 1]), at + 3, at + 2 + count)
    at = at + 3 + count
  end
end

local moved = false
each(function(name, key, first)
  if name == 'guard' or name == 'write' then
    if (redis.call('HGET', KEYS[key], 'version') or '0') ~= ARGV[first] then moved = moved or KEYS[key] end
  elseif name == 'set' then
    if redis.call('EXISTS', KEYS[key]) == 1 then moved = moved or KEYS[key] end
  end
end)
if moved then return { 'moved', moved } end

each(function(name, key, first, last)
  if name == 'write' then
    redis.call('HSET', KEYS[key], 'version', ARGV[first] + 1, 'body', unpack(ARGV, first + 1, last))
  elseif name == 'set' then
    redis.call('SET', KEYS[key], ARGV[first])
  elseif name == 'fill' then
    redis.call('HSET', KEYS[key], unpack(ARGV, first, last))
  elseif name == 'adopt' then
    local fields = redis.call('HGETALL', KEYS[key])
    for at = 1, #fields, 2 do redis.call('HSET', KEYS[key + 1], fields[at], fields[at + 1]) end
    redis.call('DEL', KEYS[key])
  elseif name == 'drop' then
    redis.call('DEL', KEYS[key])
  elseif name == 'rank' then
    redis.call('ZADD', KEYS[key], ARGV[first + 1], ARGV[first])
  elseif name == 'unrank' then
    redis.call('ZREM', KEYS[key], ARGV[first])
  elseif name == 'put' then
    redis.call('HINCRBY', KEYS[key + 1], 'generation', 1)
    redis.call('HSET', KEYS[key + 1], 'body', ARGV[first + 1], 'attempts', 0, 'since', now)
    -- What is in hand stays in that hand: it is settled as "again", or its lease ends.
    local leased = redis.call('HGET', KEYS[key + 1], 'leased')
    if not leased or tonumber(leased) <= tonumber(now) then redis.call('ZADD', KEYS[key], now, ARGV[first]) end
  elseif name == 'audit' then
    redis.call('XADD', KEYS[2], redis.call('INCR', KEYS[3]) .. '-0', 'entry', ARGV[first])
  end
end)
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[3], 'answer', ARGV[4])
redis.call('EXPIRE', KEYS[1], ARGV[5])
return { 'ok', now }
