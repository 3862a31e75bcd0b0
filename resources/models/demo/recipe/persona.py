"""What the model should say about itself, short memory chats, and small repairs to the other sources.  All text here is our own."""
import random
import re

NAME = 'Mini'
SYSTEM = ['You are Mini, a small and friendly language model.', 'You are a helpful assistant.', 'Answer in short and simple sentences.', 'You are Mini. You chat, tell short stories and remember facts.',
          'Be friendly and brief.', 'Remember what the user tells you.', 'You are a helpful assistant provided by Moonshot-AI.']

HI = ['Hello', 'Hi', 'Hey', 'Hello there', 'Hi there', 'Good morning', 'Good evening', 'Good day', 'Hello Mini', 'Hi Mini']
HI_A = ['Hello! How can I help you?'] * 5 + ['Hello! What would you like to talk about?', 'Hello! It is nice to meet you.']
WHO = ['who are you?', 'what are you?', 'who is this?', 'who am I talking to?', 'tell me about yourself', 'introduce yourself', 'can you tell me who you are?', 'please introduce yourself', 'who are you really?']
WHO_A = ['I am Mini, a very small language model in the style of Kimi Linear. I can chat, tell short stories and remember what you tell me.'] * 3 + ['I am Mini, a tiny language model with KDA and MLA layers. I run on your own computer.']
CALLED = ['what is your name?', "what's your name?", 'do you have a name?', 'how should I call you?', 'tell me your name']
CALLED_A = ['My name is Mini.'] * 3 + ['I am Mini.']
CAN = ['what can you do?', 'what can you do for me?', 'how can you help me?', 'what are you good at?', 'what can I ask you?', 'what can we do?', 'can you help me?', 'help', 'what do you do?', 'what are your skills?']
CAN_A = ['I can chat a little, tell short stories, remember facts you tell me, and do easy sums. I can also explain KDA, MLA and MoE.'] * 3 + ['I can make small talk, tell short stories, and remember facts you tell me.']
HOW = ['how are you?', 'how are you doing?', 'how are you today?', 'how is it going?', "how's it going?", 'are you well?']
HOW_A = ['I am fine, thank you. How are you?'] * 3 + ['I am doing well, thank you. And you?']
THANKS = ['Thank you', 'Thanks', 'Thank you very much', 'Thanks a lot', 'Thank you so much', 'Many thanks', 'Great, thank you', 'Thanks for your help', 'Okay, thank you', 'Thank you, Mini', 'Nice, thanks']
THANKS_A = ['You are welcome!'] * 5 + ['You are welcome! Is there anything else?']
BYE = ['Bye', 'Goodbye', 'See you', 'Good night', 'See you later', 'Bye bye', 'I have to go', 'Goodbye, Mini', 'See you tomorrow', 'Have a nice day']
BYE_A = ['Goodbye! Have a nice day.'] * 4 + ['Bye! Take care.']
FINE = ['I am fine', 'I am good, thanks', 'I am fine, thank you', "I'm good", 'Very well, thank you', 'I am happy today', 'Great', 'I feel good today', 'Not bad']
FINE_A = ['I am glad to hear that. What would you like to talk about?'] * 3 + ['That is nice to hear!']
SAD = ['I am sad', 'I am not well', 'I feel bad today', 'I am tired', 'I had a bad day', 'I feel lonely', 'I am not happy', "I'm sad today"]
SAD_A = ['I am sorry to hear that. Do you want to talk about it?'] * 3 + ['I am sorry to hear that. Would you like a short story?']
CHAT = ["Let's talk", 'Talk to me', 'Can we talk?', 'I want to chat', 'Say something', 'I am bored', 'Tell me something', "Let's chat a bit", 'Can you talk to me?']
CHAT_A = ['Sure! Tell me something about you, or ask me for a short story.'] * 2 + ['Of course. What would you like to talk about?']
JOKE = ['Tell me a joke', 'Do you know a joke?', 'Can you tell me a joke?', 'Make me laugh', 'Say something funny', 'A joke, please', 'Tell me another joke', 'Know any jokes?']
JOKE_A = ['Why did the cookie go to the doctor? It felt crumbly!', 'What do you call a bear with no teeth? A gummy bear!', 'Why did the bicycle fall over? It was two tired!']
NO = ['No', 'No, thanks', 'Not now', 'No, thank you', 'Nothing']
GROUPS = [(WHO, WHO_A, 5), (CALLED, CALLED_A, 3), (CAN, CAN_A, 4), (HOW, HOW_A, 3), (THANKS, THANKS_A, 3), (BYE, BYE_A, 3), (FINE, FINE_A, 1), (SAD, SAD_A, 1), (CHAT, CHAT_A, 1), (JOKE, JOKE_A, 1), (NO, ['Okay. What would you like to do?'], .5)]

DIFFERENCE = (['what is the difference between KDA and MLA?', 'what is the difference to MLA?', 'how do KDA and MLA differ?', 'KDA or MLA?', 'how is KDA different from MLA?', 'what is the difference?'],
              ['KDA keeps one small matrix in each head, however long the text is. MLA keeps a small vector of every token and looks back at all of them.'])


def casual(s, r):
    """The same words as people type them."""
    x = r.random()
    if x < .45:
        s = s[:1].upper() + s[1:]
    elif x < .6:
        s = s.lower()
    x = r.random()
    if x < .2:
        s = s.rstrip('?.!')
    elif x < .35 and s[-1].isalpha():
        s += r.choice('.!')
    elif s[-1].isalpha() and s.lower().split()[0] in ('who', 'what', 'how', "what's", "how's", 'can', 'do') and x < .8:
        s += '?'
    return s


def ask_story(word, r):
    """A request for a story about a word, or for any story."""
    if not word:
        return casual(r.choice(['Tell me a story.', 'Please tell me a story.', 'Can you tell me a story?', 'I want a story', 'A story, please.', 'Do you know a story?', 'Tell me a short story.', 'Would you tell me a story?']), r)
    a = ('an ' if word[0] in 'aeiou' else 'a ') + word
    return casual(r.choice(['Tell me a story about %s.', 'Tell me a story about %s.', 'Tell me a short story about %s.', 'Can you tell me a story about %s?', 'I would like a story about %s.', 'Write a story about %s.', 'Please tell me a story about %s.',
                            'A story about %s, please.', 'Write a short story about %s.', 'Do you know a story about %s?']) % a, r)


def exchanges(S, r, n):
    """n short chats (lists of (role, text)) about who it is and small talk; greetings alone and before a question."""
    g = S.G(r.random())
    flat = [(q, a, w) for qs, a, w in GROUPS for q in [qs]]
    ask = lambda qs, an: [('user', casual(r.choice(qs), r)), ('assistant', r.choice(an))]
    more = [(q, a) for q, a in S.ME] + [(q, a) for q, a in S.EXPLAIN.values()] + [DIFFERENCE]
    out = []
    for _ in range(n):
        x = r.random()
        if x < .22:                                     # a greeting
            hi = casual(r.choice(HI), r)
            out.append([('user', hi), ('assistant', r.choice(HI_A))])
        elif x < .45:                                   # a greeting and a question in one turn
            qs, an = r.choices([(WHO, WHO_A), (CAN, CAN_A), (HOW, HOW_A), (CALLED, CALLED_A), r.choice(more)], [5, 3, 4, 3, 3])[0]
            q, a = r.choice(qs), g.x(r.choice(an))
            hi = r.choice(HI)
            sep = r.choice([', ', ', ', '! ', '. ', ' '])
            q = q[:1].upper() + q[1:] if sep in ('! ', '. ') else q
            out.append([('user', casual(hi + sep + q, r)), ('assistant', a if an is HOW_A and r.random() < .5 else 'Hello! ' + a)])
        elif x < .72:
            qs, an, _ = r.choices(GROUPS, [w for _, _, w in GROUPS])[0]
            out.append(ask(qs, an))
        elif x < .8:                                    # two steps that belong together
            out.append([('user', casual(r.choice(HOW), r)), ('assistant', HOW_A[0]), ('user', casual(r.choice(FINE), r)), ('assistant', r.choice(FINE_A))])
        else:
            qs, an = r.choice(more)
            q = r.choice(qs)
            out.append([('user', casual(q, r)), ('assistant', g.x(an[0] if r.random() < .7 else r.choice(an)))])
    return out


# ------------------------------------------------------------------ short memory chats: a fact, perhaps other talk, the question

MORE_NAMES = ('James John Robert Michael David William Thomas Mary Linda Susan Karen Lisa Sarah Betty Helen Peter George Henry Frank Alice Grace Laura Julia Victor Simon Martin Andrew Daniel Brian Kevin Steven Edward Emily Olivia Sophie Hannah Rachel '
              'Jessica Ashley Megan Chloe Lucas Ethan Mason Logan Owen Dylan Wei Mei Chen Lin Jin Kim Raj Anita Sanjay Juan Carlos Maria Elena Ivan Boris Anya Klaus Heidi Jean Marie Pierre Louis Chris Alex Robin Bob Jim Bill Joan Ruth').split()
FACTS = [
    ('name', ['My name is {v}.', 'I am {v}.', "I'm {v}.", 'my name is {v}', 'Hi, I am {v}.', 'Hello, my name is {v}.', 'Hi, my name is {v}.', 'Call me {v}.'], ['What is my name?', "What's my name?", 'Do you remember my name?', 'Who am I?', 'what is my name', 'Do you know my name?'],
     ['Your name is {v}.'], ['Nice to meet you, {v}!', 'Hello, {v}!', 'Nice to meet you, {v}! How can I help you?']),
    ('color', ['My favorite color is {v}.', 'I like {v} best of all colors.', 'my favorite color is {v}'], ['What is my favorite color?', 'Which color do I like best?', 'what is my favorite color'], ['Your favorite color is {v}.'], None),
    ('animal', ['My favorite animal is the {v}.', 'I like the {v} best of all animals.'], ['What is my favorite animal?', 'Which animal do I like best?'], ['Your favorite animal is the {v}.'], None),
    ('food', ['My favorite food is {v}.', 'I love to eat {v}.', 'I like {v} best.'], ['What is my favorite food?', 'What do I love to eat?', 'Which food do I like?'], ['Your favorite food is {v}.'], None),
    ('city', ['I live in {v}.', 'My home is in {v}.', 'I am from {v}.'], ['Where do I live?', 'Where am I from?', 'where do i live'], ['You live in {v}.'], None),
    ('pet', ['My {p} is called {v}.', 'I have a {p}. Its name is {v}.', 'The name of my {p} is {v}.', 'I have a {p} called {v}.'], ['What is the name of my {p}?', "What is my {p}'s name?", 'What is my {p} called?'], ['Your {p} is called {v}.'], None),
    ('number', ['My lucky number is {v}.', 'I like the number {v}.', 'The code is {v}.'], ['What is my lucky number?', 'Which number do I like?', 'What is the code?'], ['It is {v}.'], None),
    ('friend', ['My best friend is {v}.', 'My brother is called {v}.', 'The name of my sister is {v}.'], ['Who is my best friend?', 'What is the name of my brother?', 'What is the name of my sister?'], ['Your best friend is {v}.', 'Your brother is called {v}.', 'The name of your sister is {v}.'], None),
    ('thing', ['The {p} is in the {v}.', 'I put the {p} in the {v}.', 'My {p} is in the {v}.'], ['Where is the {p}?', 'Where did I put the {p}?', 'Where is my {p}?'], ['The {p} is in the {v}.', 'You put the {p} in the {v}.', 'Your {p} is in the {v}.'], None),
    ('job', ['I work as a {v}.', 'I am a {v}.', 'My job is {v}.'], ['What is my job?', 'What do I do for work?', 'What do I work as?'], ['You work as a {v}.'], None),
]
PAIRED = ('number', 'friend', 'thing')                  # statement, question and answer of the same place belong together
ACK = ['Okay, I will remember that.'] * 3 + ['Got it.', 'Thank you for telling me.']


def memory_chats(S, r, n):
    names = S.GIRLS + S.BOYS + MORE_NAMES
    # the value pools are wide on purpose: what is copied must not be guessable
    pool = {'name': names, 'color': S.COLORS, 'animal': S.ANIMALS, 'food': S.FOODS + S.FRUITS, 'city': S.CITIES, 'pet': S.PETNAMES + names, 'friend': names, 'thing': S.PLACES + S.OBJECTS + S.ROOMS, 'job': S.JOBS}
    talk = exchanges(S, r, 4000)
    out = []
    for _ in range(n):
        k = r.choice([1, 1, 1, 2, 2, 3])
        weights = [4] + [1] * (len(FACTS) - 1)
        facts = []
        while len(facts) < k:
            f = r.choices(FACTS, weights)[0]
            if f not in facts:
                facts.append(f)
        tell, ask = [], []
        for key, st, qs, an, ack in facts:
            v = str(r.randint(2, 9999 if r.random() < .4 else 99)) if key == 'number' else r.choice(pool[key])
            p = r.choice(S.PETS if key == 'pet' else S.OBJECTS)
            i = r.randrange(len(st))
            q, a = (qs[i], an[i % len(an)]) if key in PAIRED else (r.choice(qs), r.choice(an))
            f = lambda s: s.replace('{v}', v).replace('{p}', p)
            reply = f(r.choice(ack)) if ack else r.choice(ACK)
            said = f(st[i])
            if r.random() < .2:
                said = said.lower() if v.islower() or key != 'name' and r.random() < .3 else said.rstrip('.')
            tell.append([('user', said), ('assistant', reply)])
            ask.append([('user', casual(f(q), r) if r.random() < .3 else f(q)), ('assistant', f(a))])
        r.shuffle(ask)
        filler = [r.choice(talk) for _ in range(r.choice([0, 0, 0, 1, 1, 2]))]
        chat = [m for e in tell + filler + ask for m in e]
        if r.random() < .12:                            # asked without having been told
            key, st, qs, an, ack = r.choice([f for f in FACTS if f[0] in ('name', 'color', 'animal', 'food', 'city', 'job') and f not in facts])
            what = {'name': 'your name', 'color': 'your favorite color', 'animal': 'your favorite animal', 'food': 'what you like to eat', 'city': 'where you live', 'job': 'your job'}[key]
            extra = [('user', r.choice(qs)), ('assistant', 'You have not told me %s yet.' % what)]
            chat = extra + chat if r.random() < .5 else (chat[:2] + extra + chat[2:] if r.random() < .5 else extra)
        if r.random() < .15:
            chat = r.choice(talk)[:2] + chat
        out.append(chat)
    return out


# ------------------------------------------------------------------ repairs

DROP = ("I don't know you, but I enjoy chatting with you!", "That's not me, but hello nonetheless!", "I haven't met any other bots, but I bet we'd get along.", "We're all trying to make life a little easier.", 'Hello!', 'Hey there!', 'Hi!',
        "I'm a much better answerer than asker.", 'Bye.', "You're very welcome.")
SWAP = {"Oh, I don't have a name.": 'My name is Mini.', "I'm here to chat and to try to help out.": CAN_A[0], "I'm doing great, thanks for asking!": HOW_A[0], 'Great, thanks for asking!': 'I am doing well, thank you. And you?',
        "I'm a bot who was created by humans.": 'I am Mini, a small computer program made by people.'}


def clean_chitchat(chats):
    """Drop what contradicts our persona or its memory, and put our own words where the answer is about itself."""
    for q, (role, a) in chats:
        if a in DROP or q[1].startswith('editorial'):
            continue
        yield [q, (role, SWAP.get(a, a))]


# ------------------------------------------------------------------ dense memory chats: many facts, many questions, changes, lists

# (key of the question, values, statements, questions, answer): {o} is a thing, {v} the value.  The answer says the key again before the value wherever
# English allows it: what follows the key in the answer followed it in the statement, and that is the lookup a small model learns first.
THINGS = dict(
    code='locker code;door code;gate code;phone number;pin;bike number;account number;flight number;badge number;bus number;desk number;ticket number;club number;alarm code;order number;student number;plate number'.split(';'),
    person='sister;brother;cousin;aunt;uncle;boss;coach;teacher;neighbor;friend;roommate;dentist;doctor;landlord;grandfather;grandmother;nephew;niece;son;daughter;wife;husband;partner;colleague'.split(';'),
    pet='dog;cat;rabbit;hamster;parrot;goldfish;turtle;pony;kitten;puppy;mouse;snake;canary;goat;horse;hen'.split(';'),
    fav='color;food;fruit;animal;drink;sport;city;song;game;book;place;word;toy;tree;flower;dish;month;day;season;instrument;name;number'.split(';'),
    lost='keys;glasses;phone;passport;wallet;umbrella;camera;notebook;gloves;watch;ticket;ring;hat;bag;charger;pen;scarf;lamp;book;coin;map'.split(';'),
    event='dentist visit;piano lesson;meeting;party;exam;dinner;haircut;flight;concert;class;interview;game;picnic;wedding;call;trip'.split(';'))
TELL = dict(
    code=(['My {o} is {v}.', 'The {o} is {v}.', 'I have the {o} {v}.', 'They gave me {v} as {o}.', 'My new {o} is {v}.', '{v}, that is my {o}.', 'My {o}: {v}.', 'I use {v} as my {o}.', 'The number {v} is my {o}.', 'My {o} will be {v}.'],
          ['What is my {o}?', 'My {o}?', 'Which {o} do I have?', 'What {o} did I tell you?', 'Give me my {o}.', 'I need my {o}.', 'What did I say my {o} is?', 'Do you still have my {o}?', 'Remind me of my {o}.', 'How does my {o} go?', 'Say my {o}.', 'I lost my {o}, what is it?', 'Tell me what my {o} is.', 'Tell me the digits of my {o}.', 'And what is my {o}?'], 'Your {o} is {v}.'),
    person=(['My {o} is called {v}.', 'My {o} is {v}.', 'The name of my {o} is {v}.', '{v} is the name of my {o}.', "My {o}'s name is {v}.", 'I have a {o}, {v}.', 'I met {v}, my {o}.', 'This is about {v}, my {o}.', 'My {o} {v} is nice.', 'We call my {o} {v}.', 'My {o} goes by {v}.'],
            ['What is the name of my {o}?', 'Who is my {o}?', 'What is my {o} called?', "What is my {o}'s name?", 'Do you know the name of my {o}?', 'The name of my {o}?', 'What do we call my {o}?', 'Name my {o}.', 'How is my {o} called?', 'Say the name of my {o}.', 'Remind me who my {o} is.', 'Tell me who my {o} is.', 'Tell me what my {o} is called.', 'Tell me how you call my {o}.'], 'Your {o} is called {v}.'),
    fav=(['My favorite {o} is {v}.', 'The {o} I like best is {v}.', 'I like {v} more than any other {o}.', 'As a {o}, I love {v}.', 'No {o} is better than {v}.', '{v} is the best {o} for me.', 'The best {o} is {v}.', 'My favorite {o}: {v}.', 'My favorite {o} must be {v}.', 'When it comes to a {o}, I take {v}.'],
         ['What is my favorite {o}?', 'Which {o} do I like best?', 'My favorite {o}?', 'What {o} do I like?', 'Which {o} is my favorite?', 'Do you know my favorite {o}?', 'Name my favorite {o}.', 'What did I say is my favorite {o}?', 'Say my favorite {o}.', 'Which {o} would I take?', 'Remind me of my favorite {o}.', 'Tell me which {o} I like best.', 'Tell me the {o} I love.'], 'Your favorite {o} is {v}.'),
    lost=(['My {o} is {v}.', 'I put my {o} {v}.', 'I left the {o} {v}.', 'The {o} is {v}.', 'You will find my {o} {v}.', 'I hid my {o} {v}.', 'My {o} lies {v}.', 'I saw my {o} {v}.', 'Look {v} for my {o}.', '{V} is where my {o} is.', 'I store my {o} {v}.'],
          ['Where is my {o}?', 'Where did I put my {o}?', 'Where can my {o} be?', 'Do you know where my {o} is?', 'I look for my {o}.', 'Where is the {o}?', 'Where do I find my {o}?', 'I need my {o}. Where is it?', 'Where did I leave my {o}?', 'Help, where is my {o}?', 'Find my {o}.', 'Help me look for my {o}.', 'Please find my {o} for me.', 'My {o} is gone. Where is it?', 'Can you tell me where my {o} is?', 'Can you see my {o}?', 'Can you find my {o} for me?', 'Tell me where my {o} is.'], 'Your {o} is {v}.'),
    event=(['My {o} is on {v}.', 'The {o} is on {v}.', 'I have a {o} on {v}.', 'On {v} I have my {o}.', 'There is a {o} on {v}.', 'The {o} starts on {v}.', 'My {o} was set for {v}.', 'I go to the {o} on {v}.', 'They put my {o} on {v}.'],
           ['When is my {o}?', 'When is the {o}?', 'When do I have my {o}?', 'When does the {o} start?', 'Do you know when my {o} is?', 'What day is my {o}?', 'When do I go to the {o}?', 'My {o}, when is it?', 'When was my {o} again?', 'Tell me when my {o} is.', 'What time is my {o}?', 'At what hour is my {o}?', 'What time does the {o} begin?'], 'Your {o} is on {v}.'),
    give=(['I gave the {o} to {v}.', '{v} has the {o}.', '{v} got my {o}.', 'My {o} is with {v}.', 'I lent {v} my {o}.', 'The {o} belongs to {v}.', 'I sent the {o} to {v}.', '{v} borrowed my {o}.', '{v} keeps my {o}.', '{v} asked for my {o} and got it.', 'Now {v} has the {o}.', '{v} went off with my {o}.', '{v} carried my {o} away.', '{v} took the {o} from me.', '{v} walked home with my {o}.'],
          ['Who has the {o}?', 'Who has my {o}?', 'Who got my {o}?', 'To whom did I give the {o}?', 'Who keeps the {o}?', 'With whom is my {o}?', 'Who borrowed my {o}?', 'Where did my {o} go, who has it?', 'Do you know who has my {o}?', 'Whose turn is it with my {o}?', 'Who went off with my {o}?', 'Who took the {o} from me?', 'Who holds my {o} now?', 'Who carried my {o} away?', 'Tell me who has my {o}.'], 'The {o} is with {v}.'))
ONE = dict(     # facts without a thing
    name=(['My name is {v}.', 'I am {v}.', 'I am called {v}.', 'Call me {v}.', "I'm {v}.", 'Hi, this is {v}.', 'Hello, {v} here.', 'The name is {v}.', 'Everybody calls me {v}.', 'My friends call me {v}.', 'I go by {v}.', 'Hi, I am {v}.', 'Hello, my name is {v}.'],
          ['What is my name?', 'Who am I?', "What's my name?", 'Do you remember my name?', 'Do you know my name?', 'My name?', 'How do you call me?', 'What did I say my name is?', 'What do my friends call me?', 'Say my name.', 'Remind me of my name.'], 'Your name is {v}.'),
    live=(['I live in {v}.', 'My home is in {v}.', 'I am from {v}.', 'I moved to {v}.', 'I come from {v}.', 'My flat is in {v}.', 'I stay in {v}.', 'We live in {v}.', 'I have a house in {v}.', 'My city is {v}.', 'I grew up in {v}.', 'My place is in {v}.'],
          ['Where do I live?', 'Where am I from?', 'Where is my home?', 'In which city do I live?', 'What is my city?', 'Do you know where I live?', 'Where is my house?', 'What city am I in?', 'Where did I say I live?', 'Name my city.', 'My city?', 'Tell me where I live.', 'Which city is mine?'], 'You live in {v}.'),
    job=(['I work as a {v}.', 'I am a {v}.', 'My job is {v}.', 'I have a job as a {v}.', 'They pay me as a {v}.', 'I am a {v} by day.', 'I became a {v}.', 'As a {v} I work a lot.', 'Being a {v} is my job.', 'I earn my money as a {v}.'],
         ['What is my job?', 'What do I do?', 'What do I work as?', 'What do I do for work?', 'Do you know my job?', 'My job?', 'How do I earn my money?', 'What am I by trade?', 'Name my job.', 'What work do I do?', 'What kind of work do I do?', 'Which work do I have?', 'Tell me what I do.'], 'You work as a {v}.'),
    secret=(['The secret word is {v}.', 'Our secret word is {v}.', 'The password is {v}.', 'The secret is {v}.', '{v} is the secret word.', 'My secret word will be {v}.', 'Keep the word {v} secret.', 'Here is the secret word: {v}.', 'We take {v} as the secret word.', 'Remember the secret word {v}.'],
            ['What is the secret word?', 'The secret word?', 'What is our secret word?', 'What is the secret?', 'Do you know the secret word?', 'Say the secret word.', 'What was the secret word?', 'Which word is secret?', 'Name the secret word.', 'I need the secret word.', 'Tell me our secret.', 'Tell me what the secret is.'], 'The secret word is {v}.'),
    born=(['My birthday is in {v}.', 'I was born in {v}.', 'I have my birthday in {v}.', 'I turn a year older in {v}.', 'My birthday comes in {v}.', '{v} is the month of my birthday.', 'I get presents in {v}, on my birthday.', 'My birthday? It is in {v}.', 'In {v} I have my birthday.', 'We celebrate me in {v}.', 'In {v} there is cake, for my birthday.'],
          ['When is my birthday?', 'When was I born?', 'In which month is my birthday?', 'What month was I born in?', 'Do you know my birthday?', 'My birthday?', 'When do I turn a year older?', 'When do I have my birthday?', 'When do I get presents?', 'When do we celebrate my birthday?', 'In what month do we celebrate me?', 'When is my big day?', 'When do people sing for me?', 'Tell me when my birthday is.', 'When do I have my party and my cake?'], 'Your birthday is in {v}.'),
    plan=(['I will go to {v}.', 'My trip goes to {v}.', 'I am going to {v} soon.', 'We will fly to {v}.', 'I plan to see {v}.', 'Tomorrow I leave for {v}.', 'I am on my way to {v}.', 'Next month I travel to {v}.', 'I want to see {v} this year.', 'My next stop is {v}.'],
          ['Where will I go?', 'Where do I go?', 'Where does my trip go?', 'What is my next stop?', 'Where am I going?', 'Where do I want to travel?', 'What place will I see?', 'Do you know where I will go?', 'What is my travel plan?', 'Where do I fly?', 'Tell me where I will go.', 'Which place do I want to see?', 'Which place is on my list?'], 'You will go to {v}.'))
BEFORE = ['Hey, ', 'Well, ', 'So, ', 'Okay, ', 'Listen: ', 'Just so you know, ', 'Guess what: ', 'You know, ', 'By the way, ', 'Remember this: ', 'One thing: ', 'Hello. ', 'Please remember: ', 'I tell you this: ', 'Also, ', 'Oh, ', 'Yes, ', 'About me: ']
BEHIND = [', okay?', ', please remember.', '. Remember that.', '. Keep that in mind.', ', you know.', '. Do not forget it.', ', by the way.', ', I think.', '. Got it?', '. I will ask you later.', ' at the moment.', '. That is nice.']
ASK_BEFORE = ['Hey, ', 'So, ', 'Okay, ', 'Now, ', 'One question: ', 'Please, ', 'I forgot. ', 'Well, ', 'Quick question: ', 'Just asking: ', 'Let us see. ', 'And now: ', 'Mini, ', 'A test: ', 'Hm, ', 'I wonder: ']
ASK_BEHIND = [', please?', ' Do you remember?', ' I forgot.', ' Please.', ' Do you know?', ' I need it.', ' Quick!']
CHANGE = ['Sorry, ', 'Wait, ', 'No, ', 'It changed: ', 'Correction: ', 'News: ', 'Today it is different: ', 'I made a mistake: ', 'Not any more. ', 'Change of plan: ', 'Actually, ', 'Let me fix that: ', 'Oh, this is new: ', 'Forget what I said. ', 'Hm, no. ', 'That was wrong. ', 'Things are different: ', 'Since today ', 'As of now, ', 'Once more: ', 'I have to correct myself. ', 'The last one is wrong. Now ', 'Please change that: ', 'New plan: ', 'There is news. ']
CHANGED = ['Okay, I changed it.', 'Got it, the new one counts.', 'Okay, I will use the new one.', 'I have changed that.']
TOLD = ['Okay, I will remember that.', 'Got it.', 'I will keep it in mind.', 'Okay!', 'Noted.', 'Thank you for telling me.']
PAIRINGS = [    # introduction, line, what stands between, questions
    ('Some pairs: ', '{a} and {b}', ', ', ['What is beside {a}?', '{a} and what?', 'Which word was with {a}?', 'What pairs with {a}?', 'Say the other word of {a}.', 'The word beside {a}?', 'Find the pair of {a}.', 'Give me what stands with {a}.']),
    ('Learn this: ', '{a} - {b}', ', ', ['What goes with {a}?', 'What is next to {a}?', 'The other half of {a}?', '{a} - ?', 'Match {a}.', 'Name the match of {a}.', 'Who is the friend of {a} in the list?', 'Complete {a}.', 'I need the other one of {a}.', 'Say what you have for {a}.', 'Look up {a}.', 'Tell me what goes with {a}.', 'Tell me the match of {a}.']),
    ('In my language ', '{a} means {b}', ', ', ['What does {a} mean?', 'What is {a}?', 'What is the meaning of {a}?', 'Say what {a} means.', 'Decode {a}.', 'Look up {a} in the book.', 'Explain {a} with my words.', 'Put {a} into plain words.', 'The plain word for {a}, please.', 'How do you read {a}?', 'Use the code on {a}.', 'Tell me what {a} means.', 'Read {a} with the book.']),
    ('Remember who has what: ', '{a} has the {b}', ', ', ['What does {a} have?', 'Which thing has {a}?', 'What did {a} get?', 'And {a}?', 'Say what {a} has.', 'The thing of {a}?', 'What can {a} give me?', 'Name the thing of {a}.']),
    ('A list of homes: ', '{a} lives in {b}', ', ', ['Where does {a} live?', 'Where is {a} at home?', 'The city of {a}?', 'Where do I visit {a}?', 'Name the city of {a}.', 'The home town of {a}?', 'Which town is home to {a}?', 'Say where {a} lives.', 'I write to {a}. Which city?', 'In what place does {a} live?', 'Tell me where {a} lives.', 'Which city is home for {a}?']),
    ('Some numbers: ', '{a} is {b}', ', ', ['What is {a}?', 'Which number is {a}?', 'The number of {a}?', 'How much is {a}?', 'Say the number of {a}.', 'I need the number for {a}.', 'Read me the number of {a}.', 'What did {a} have?']),
    ('These are the values: ', '{a} = {b}', ', ', ['What is {a}?', '{a}?', 'The value of {a}?', 'How much is {a}?', 'Say the number for {a}.', 'I need the value of {a}.', 'Which value has {a}?', 'Read out {a}.', 'What number did {a} get?', 'Let me have the number {a} has.', 'Tell me the number for {a}.', 'Give me the value of {a}.']),
    ('Prices. ', '{a}: {b}', '; ', ['How much for {a}?', 'The price of {a}?', '{a}?', 'What does {a} cost?', 'Say the price of {a}.', 'I want {a}. How much?', 'What do I pay for {a}?']),
    ('Colors of my things: ', 'the {a} is {b}', ', ', ['What color is the {a}?', 'Which color has the {a}?', 'The {a}?', 'How does the {a} look?', 'Say the color of the {a}.', 'Name the color the {a} has.', 'In which color is the {a}?', 'Describe the {a}.', 'I need the color of the {a}.']),
    ('Boxes. ', 'the {a} box is {b}', '. ', ['Which color does the {a} box have?', 'How does the {a} box look?', 'Say the color of the {a} box.', 'Name the color of the {a} box.', 'The {a} box?', 'In which color is the {a} box?', 'Describe the {a} box.', 'And the {a} box?', 'Tell me how the {a} box looks.', 'Tell me which color the {a} box has.']),
    ('Where they sit: ', '{a} in room {b}', ', ', ['In which room is {a}?', 'Which room has {a}?', 'The room of {a}?', 'Where does {a} sit?', 'Where is {a}?', 'Say the room of {a}.', 'I look for {a}.', 'Where do I meet {a}?', 'To which room do I go for {a}?', 'Where will {a} be?', 'Find {a}.', 'Tell me where {a} is.', 'Where can I meet {a}?', 'Where do I find {a}?']),
    ('My friends and what they do: ', '{a} is a {b}', ', ', ['What is {a}?', 'What does {a} do?', 'The job of {a}?', 'Name the job of {a}.', 'What work does {a} do?', 'Say what {a} is.', 'Which job does {a} have?']),
    ('Animals: ', 'the {a} is called {b}', ', ', ['What is the name of the {a}?', 'How do you call the {a}?', 'The name of the {a}?', 'Say the name of the {a}.', 'Who is the {a}?', 'Name the {a}.', 'Which name has the {a}?'])]
AS_GENERATED = {1: 0, 2: 1, 3: 2, 4: 3, 6: 4, 9: 5, 10: 6}      # the generator's introductions, with the questions from here
PEOPLE_PAIRS, NUMBER_PAIRS = (3, 4, 10, 11), (5, 6, 7, 10)      # whose keys are names; whose values are numbers
ORDERS = [(['Reverse {x}', 'Reverse this list: {x}', 'Say this backwards: {x}', 'Backwards please: {x}', 'What is {x} in reverse order?', 'Say {x} backwards', 'From the end to the start: {x}', 'Turn {x} around', 'The other way round: {x}', 'Last one first: {x}', 'Read backwards: {x}', 'Flip {x}', 'Mirror this list: {x}', 'Write {x} from right to left', 'Start at the end: {x}'], True),
          (['Repeat {x}', 'Repeat this list: {x}', 'Copy this: {x}', 'Say {x} again', 'Copy {x}', 'Again, please: {x}', 'The same once more: {x}', 'Write {x} as it is', 'Say after me: {x}', 'Echo: {x}', 'Write down {x}', 'Give me back {x}'], False)]


def upper(s):
    return s[:1].upper() + s[1:]


class Dense:
    """Chats in which nearly every answer has to be looked up: facts told, changed and asked for; pairs; lists forwards and backwards."""
    def __init__(self, S, r):
        self.S, self.r = S, r
        self.names = S.GIRLS + S.BOYS + MORE_NAMES
        self.words = sorted(set(S.NOUNS + S.SECRET + S.ADJ + S.FOODS))
        self.talk = exchanges(S, r, 3000)
        self.g = S.G(r.random())
        self.lists, self.first = ORDERS, .2

    def number(self):
        return ''.join(self.r.choice('123456789' if i == 0 else '0123456789') for i in range(self.r.choice([1, 2, 2, 3, 3, 4, 4, 5, 6])))

    def spot(self):
        r, S = self.r, self.S
        if r.random() < .3:
            return r.choice(S.SPOTS)
        n = r.choice(S.OBJECTS + S.ROOMS + S.PLACES + 'table chair bed shelf sofa desk door tree bench fridge stairs'.split())
        return r.choice(['on', 'under', 'behind', 'in', 'next to', 'inside', 'near', 'by', 'on top of']) + ' the ' + (r.choice(S.ADJ + S.COLORS) + ' ' if r.random() < .3 else '') + n

    def value(self, kind, o):
        r, S = self.r, self.S
        if kind == 'code' or o == 'number':
            return self.number()
        if kind == 'lost':
            return self.spot()
        if kind == 'event':
            return r.choice(S.DAYS) + ('' if r.random() < .2 else ' at %d%s' % (r.randint(1, 12), r.choice([' am', ' pm', ':30', ':15'])))
        if kind == 'fav' and r.random() < .7:
            pool = {'color': S.COLORS, 'food': S.FOODS, 'dish': S.FOODS, 'fruit': S.FRUITS, 'animal': S.ANIMALS, 'drink': S.DRINKS, 'sport': S.SPORTS, 'city': S.CITIES, 'place': S.PLACES, 'month': S.MONTHS, 'day': S.DAYS,
                    'season': S.SEASONS, 'instrument': S.INSTR, 'name': self.names, 'toy': S.OBJECTS}.get(o, self.words)
            return r.choice(pool)
        if kind in ('fav', 'secret'):
            return r.choice(self.words)
        if kind == 'plan':
            return r.choice(S.CITIES) if r.random() < .5 else 'the ' + r.choice(S.PLACES)
        if kind == 'pet':
            return r.choice(S.PETNAMES + self.names)
        return r.choice({'live': S.CITIES, 'job': S.JOBS, 'born': S.MONTHS}.get(kind, self.names))

    def fact(self, kinds=()):
        """(key, kind, thing)"""
        r = self.r
        if r.random() < .4 and not kinds:
            k = r.choice(['name', 'name'] + list(ONE))
            return k, k, ''
        k = r.choice(kinds or list(TELL) + ['pet'])
        o = r.choice(self.S.OBJECTS if k == 'give' else THINGS[k])
        if k in ('code', 'fav') and r.random() < .25:     # any word may be a key
            o = r.choice(self.words) + (' number' if k == 'code' else '')
        return k + o, k, o

    def forms(self, kind):
        return ONE[kind] if kind in ONE else TELL['person' if kind == 'pet' else kind]

    def fill(self, s, o, v):
        if o in MANY:
            s = s.replace('{o} is', '{o} are').replace('is my {o}', 'are my {o}').replace('is the {o}', 'are the {o}').replace('is {o}', 'are {o}').replace('{o} lies', '{o} lie')
        return upper(s.replace('{o}', o).replace('{V}', upper(v)).replace('{v}', v))

    def statement(self, kind, o, v):
        r = self.r
        s = self.fill(r.choice(self.forms(kind)[0]), o, v)
        return s if kind != 'job' else s.replace(' a ' + v, ' ' + self.S.a(v))

    def typed(self, s, before, behind):
        """With or without words around it, as people type."""
        r = self.r
        if r.random() < .3:
            b = r.choice(before)
            s = b + (s if b[-2] in '.' or s.startswith(('I ', "I'm")) or not s.split()[0].lower() in LITTLE else s[0].lower() + s[1:])
        if r.random() < .15:
            e = r.choice(behind)
            s = s.rstrip('.?') + e if behind is BEHIND or e[0] == ',' else s + e
        x = r.random()
        return s.rstrip('.?') if x < .2 else s.lower() if x < .26 else s

    def answer(self, kind, o, v):
        s = self.fill(self.forms(kind)[2], o, v.replace('my ', 'your '))
        return s if kind != 'job' else s.replace(' a ' + v, ' ' + self.S.a(v))

    def chat(self, tokens):
        r = self.r
        x = r.random()
        return self.pairs(tokens) if x < .22 else self.orders(tokens) if x < .34 else self.changes(tokens) if x < .46 else self.facts(tokens)

    def facts(self, tokens):
        r, out, known, asked = self.r, [], {}, set()
        size = lambda: sum(len(s) for _, s in out) / 3.6 + 4 * len(out)
        say = lambda u, a: out.extend([('user', u), ('assistant', a)])
        most = max(1, min(12, tokens // 32))
        wide = r.random() < .3                          # other talk between: fewer facts, larger distances
        kinds = [r.choice(list(TELL) + ['pet', 'pet', 'person'])] if r.random() < .35 else ()     # all alike, to be told apart by the thing alone
        while size() < tokens - 24:
            x = r.random()
            open_ = [k for k in known if k not in asked]
            if not known or len(known) < most and x < (.35 if not wide else .15):
                new = []
                for _ in range(r.choice([1, 1, 1, 2, 3]) if tokens > 64 else 1):
                    key, kind, o = self.fact(kinds)
                    if key not in known:
                        known[key] = kind, o, self.value(kind, o)
                        new.append(key)
                if not new:
                    continue
                said = self.breath([known[k] for k in new])
                kind, o, v = known[new[-1]]
                if len(new) > 1:
                    say(said, r.choice(['I will remember all of that.', 'Okay, I will remember that.', 'Got it.']))
                elif kind == 'name' and r.random() < .7:
                    say(said, r.choice(['Nice to meet you, %s!', 'Hello, %s!', 'Nice to meet you, %s! How can I help you?']) % v)
                else:
                    say(said, ('Okay. ' + self.answer(kind, o, v)) if r.random() < .4 else r.choice(TOLD))
            elif x < .55 and wide or x > .97:
                out.extend(r.choice(self.talk)[:2] if r.random() < .7 else [('user', upper(q)) if i == 0 else ('assistant', upper(q)) for i, q in enumerate(self.S.fact(self.g)[:2])])
            elif x > .86:                               # a new value
                key = r.choice(list(known))
                kind, o, v = known[key]
                w = self.value(kind, o)
                if w == v:
                    continue
                known[key] = kind, o, w
                asked.discard(key)
                say(self.changed(kind, o, w), ('Okay. ' + self.answer(kind, o, w)) if r.random() < .3 else r.choice(CHANGED))
            elif x > .82:                               # never told
                key, kind, o = self.fact()
                if key in known:
                    continue
                say(self.typed(self.fill(r.choice(self.forms(kind)[1]), o, ''), ASK_BEFORE, ASK_BEHIND), 'You have not told me that yet.')
            else:
                key = r.choice(open_) if open_ and r.random() < .7 else r.choice(list(known))
                kind, o, v = known[key]
                asked.add(key)
                say(self.typed(self.fill(r.choice(self.forms(kind)[1]), o, ''), ASK_BEFORE, ASK_BEHIND), self.answer(kind, o, v))
        return out

    def breath(self, facts):
        """One fact, or several in one breath."""
        r = self.r
        if len(facts) > 1 and r.random() < .5:
            low = lambda s: s[0].lower() + s[1:] if s.split()[0].lower() in LITTLE and s.split()[0] != 'I' else s
            xs = [self.statement(*f).rstrip('.') for f in facts]
            return xs[0] + ''.join(r.choice([' and ', ', and ', ', ', ', but ']) + low(x) for x in xs[1:]) + r.choice(['.', '.', ''])
        return ' '.join(self.typed(self.statement(*f), BEFORE, BEHIND).rstrip() + ('' if len(facts) == 1 else '.') for f in facts).replace('..', '.').replace('?.', '?')

    def changed(self, kind, o, v):
        """A statement that overrides."""
        r, s = self.r, self.statement(kind, o, v)
        if r.random() < .2:
            return upper(s.rstrip('.') + ' now.')
        c = r.choice(CHANGE)
        return c + (s[0].lower() + s[1:] if (c[-2] != '.' or r.random() < .5) and s.split()[0].lower() in LITTLE and s.split()[0] != 'I' else s)

    def changes(self, tokens):
        """One to three facts, each overridden up to four times, often said in the same words; the newest counts."""
        r, out, known = self.r, [], {}
        size = lambda: sum(len(s) for _, s in out) / 3.6 + 4 * len(out)
        kinds = [r.choice(list(TELL) + ['pet'])] if r.random() < .3 else ()
        for _ in range(r.choice([1, 1, 2, 3]) if tokens > 64 else 1):
            key, kind, o = self.fact(kinds)
            if key not in known:
                known[key] = kind, o, self.value(kind, o)
                out += [('user', self.breath([known[key]])), ('assistant', r.choice(TOLD))]
        asked, steps = set(known), 0
        while size() < tokens - 24:
            x, key = r.random(), r.choice(list(known))
            kind, o, v = known[key]
            if (x < .45 or not steps) and steps < 6:
                w = self.value(kind, o)
                if w != v:
                    steps += 1
                    known[key] = kind, o, w
                    asked.discard(key)
                    out += [('user', self.changed(kind, o, w)), ('assistant', ('Okay. ' + self.answer(kind, o, w)) if r.random() < .2 else r.choice(CHANGED))]
            elif x > .9:
                out += r.choice(self.talk)[:2]
            elif key not in asked or x > .75:
                asked.add(key)
                out += [('user', self.typed(self.fill(r.choice(self.forms(kind)[1]), o, ''), ASK_BEFORE, ASK_BEHIND)), ('assistant', self.answer(kind, o, v))]
        return out

    def pairs(self, tokens):
        r, S = self.r, self.S
        i = r.randrange(len(PAIRINGS))
        intro, line, sep, qs = PAIRINGS[i]
        n = max(2, min(32, int((tokens - 20) / r.choice([12, 16, 24]))))
        people = i in PEOPLE_PAIRS
        keys = r.sample(self.names if people else sorted(set(S.PETS + S.ANIMALS)) if i == 12 else S.ADJ + S.OBJECTS if i == 9 else self.words, n)
        v = {3: S.OBJECTS, 4: S.CITIES, 8: S.COLORS, 9: S.COLORS, 11: S.JOBS, 12: self.names}.get(i, self.words)
        digits = r.choice([0, 0, 1, 1, 2, 3])
        vs = [(self.g.code(digits) if digits else self.number()) if i in NUMBER_PAIRS else r.choice(v) for _ in keys]
        if r.random() < .5:
            intro = r.choice(['', 'Please remember. ', 'I will ask you later. ', 'Here they are: ', 'My list: ', 'Look: ', 'Learn these. ', 'This is what I know: '])
        elif i in AS_GENERATED and r.random() < .5:
            intro, line, sep = S.PAIR_FORMS[AS_GENERATED[i]][:3]
        put = lambda s, a, b='': upper(s.replace('{a}', a).replace('{b}', b))
        low = lambda s: s if people or sep == '. ' else s[0].lower() + s[1:]
        lines = [low(put(line, a, b)) for a, b in zip(keys, vs)]
        body = sep.join(lines)
        out = [('user', upper(intro + body + r.choice(['.', '', '. Remember them.']))), ('assistant', r.choice(['Okay, I will remember.', 'Got it.', 'I have them all.', 'Ready.']))]
        size = lambda: sum(len(s) for _, s in out) / 3.6 + 4 * len(out)
        while size() < tokens - 14:
            j = r.randrange(n)
            out += [('user', self.typed(put(r.choice(qs), keys[j]), ASK_BEFORE, ASK_BEHIND) if r.random() < .5 else put(r.choice(qs), keys[j])), ('assistant', ('You said: ' + lines[j] if line.startswith('{a}') else upper(lines[j])) + '.')]
        return out

    def orders(self, tokens):
        """Lists, forwards and backwards, short ones most of the time; said before or behind what is asked, or kept for later."""
        r, S, out = self.r, self.S, []
        size = lambda: sum(len(s) for _, s in out) / 3.6 + 4 * len(out)
        only = r.random() < .3                          # one way to ask and one kind of items, all through the chat
        kind, (asks, back), sep = r.randrange(5), r.choice(self.lists), r.choice([', ', ' '])
        while size() < tokens - 30 or not out:
            if not only:
                kind, (asks, back), sep = r.randrange(5), r.choice(self.lists), r.choice([', ', ' '])
            pool = [list('0123456789'), list('abcdefghijklmnopqrstuvwxyz'), S.COLORS, [str(i) for i in range(10, 100)], self.words if r.random() < .3 else S.NOUNS][kind]
            most = max(2, min(24, int((tokens - size() - 20) / (6 if sep == ', ' else 5))))
            n = r.randint(2, min(most, r.choice([4, 6, 8, 10, 10, 24])))
            xs = r.sample(pool, n) if r.random() < .5 and n <= len(pool) else [r.choice(pool) for _ in range(n)]
            x = sep.join(xs)
            y = BACK + sep.join(xs[::-1]) if back else SAME + x
            if r.random() < self.first and size() + 6 * n < tokens - 30:  # said first, asked for after
                out += [('user', r.choice(KEEP) + x + r.choice(['', '.', '.'])), ('assistant', r.choice(TOLD + ['Okay.', 'I have the list.']))]
                if r.random() < .3:
                    out += r.choice(self.talk)[:2]
                out += [('user', r.choice(KEPT_BACK if back else KEPT)), ('assistant', y)]
                if r.random() < .3:
                    out += [('user', r.choice(KEPT)), ('assistant', SAME + x)]
            else:
                out += [('user', r.choice(asks).replace('{x}', x)), ('assistant', y)]
        return out


BACK, SAME = 'Backwards: ', 'Your list: '          # so that every word of the answer has a space before it, and the tokens of the list
KEEP = ['Here is a list: ', 'My list: ', 'Keep this list: ', 'Remember ', 'Remember this list: ', 'Learn this list: ', 'I will ask for this later: ', 'Please keep in mind: ', 'Note these: ', 'Do not forget: ', '']
KEPT = ['What was the list?', 'Say the list again', 'Which list did I give you?', 'Say my list.', 'What is my list?', 'My list again, please.', 'Which list is it?', 'What is on my list?', 'Now say the whole list.', 'Tell me my list.', 'Do you still know the list?', 'Give me the list.', 'Can you say the list?',
        'Recite it.', 'What did I tell you to keep?', 'The list, please.', 'I forgot the list. How does it go?', 'Say all of it.', 'All the items in order, please.', 'Read my list to me.', 'How was my list?', 'Can you say my list again?', 'Can you recite the list?', 'Can you give me my list?', 'Please repeat it.']
KEPT_BACK = ['Say my list backwards.', 'Now from the end to the start.', 'My list in the other direction, please.', 'Reverse my list.', 'Say it from behind.', 'The same list, last one first.', 'Now turn it around.', 'Can you say the list backwards?']
STACKS = [      # the thing, how something is put on it, how something is taken off, what it is called, from which pool
    ('stack', 'push {x}', 'pop', '{x}', 0), ('stack', 'push {x}', 'pop', '{x}', 1), ('stack of plates', 'put the {x} plate on top', 'take the top plate away', 'the {x} plate', 2),
    ('pile of books', 'put the {x} book on the pile', 'take one book from the top', 'the {x} book', 2), ('tower of blocks', 'put block {x} on the tower', 'take the top block off', 'block {x}', 3),
    ('pile of boxes', 'put the box of {x}s on top of the pile', 'remove the top box', 'the box of {x}s', 0), ('stack', 'add {x}', 'remove one', '{x}', 0), ('pile', 'lay {x} on top', 'take one away', '{x}', 1),
    ('stack of cards', 'put card {x} on it', 'draw a card', 'card {x}', 1), ('heap', 'throw {x} on it', 'take the upper one off', '{x}', 0)]
EMPTY = ['An empty {n}. {o}.', 'Here we have an empty {n}. {o}.', 'Take an empty {n}. {o}.', 'Nothing is in the {n}. {o}.', 'At first the {n} has nothing. {o}.', 'The {n} begins empty. {o}.', 'We begin with an empty {n}. {o}.', 'My {n} is empty. {o}.', 'We have an empty {n}. {o}.', '{o}.']
TOP = ['What is on top?', 'What is on top now?', 'Which one is at the top?', 'What lies on top?', 'Name the top.', 'Say what is on top.', 'The top?', 'What do I see on top?', 'What comes off next?', 'Which is the last one on it?', 'And the top one is?', 'Give me the one on top.', 'So what is the top?', 'Now the top one, please.', 'Tell me what is on top.', 'Tell me which one lies on top.', 'Show me the top one.', 'Report the top.', 'Tell me the upper one.', 'Read the top one to me.']


MANY = ('keys', 'glasses', 'gloves')
class Drill(Dense):
    """Pairs, lists and stacks; nothing else."""
    def __init__(self, S, r):
        super().__init__(S, r)
        self.lists, self.first = WAYS, .3

    def chat(self, tokens):
        x = self.r.random()
        return self.pairs(tokens) if x < .42 else self.orders(tokens) if x < .85 else self.stacks(tokens)

    def stacks(self, tokens):
        r, out, S = self.r, [], self.S
        size = lambda: sum(len(s) for _, s in out) / 3.6 + 4 * len(out)
        while size() < tokens - 40 or not out:
            n, push, pop, form, kind = r.choice(STACKS)
            pool = [S.NOUNS, [str(i) for i in range(100)], S.COLORS, S.COLORS + [str(i) for i in range(1, 10)]][kind]
            most = max(2, min(20, int((tokens - size() - 30) / (4 if kind < 2 else 9))))
            st, ops = [], []
            for _ in range(r.randint(2, min(most, r.choice([4, 6, 10, 20])))):
                if st and r.random() < .38:
                    st.pop()
                    ops.append(pop)
                else:
                    st.append(form.replace('{x}', r.choice(pool)))
                    ops.append(push.replace(form, '{x}').replace('{x}', st[-1]))
            said = upper(r.choice(EMPTY).replace('{n}', n).replace('{o}', upper(', '.join(ops)) if r.random() < .5 else ', '.join(ops)))
            top = 'On top is ' + st[-1] + '.' if st else 'It is empty.'
            if r.random() < .9:
                out += [('user', said + ' ' + r.choice(TOP)), ('assistant', top)]
            else:
                out += [('user', said), ('assistant', r.choice(['Okay.', 'Done.', 'I did that.'])), ('user', r.choice(TOP)), ('assistant', top)]
        return out


LIST_FIRST = (['{x}: backwards', 'I have {x}. Reverse that', 'Take {x} and turn it around', '{x}. Now from the last to the first', 'These are {x}. What are they in reverse', 'Here is {x}. Backwards, please', 'Given {x}, begin at the end', 'My list is {x}. Say it backwards.',
               'This is the list: {x}. Read it from the end.', 'The items are {x}. Reverse them.', 'The words are {x}. Now the other way round.', 'List: {x}. Last one first, please.', 'Look at {x}. Say it from the end to the start.', 'The list goes {x}. Turn it around.', 'There is {x}. Give it to me backwards.',
               'We have {x}. How is it from behind?', 'It is {x}. Flip it.', 'The list has {x}. Write it in the other direction.', '{x}. Say that in reverse order.', 'First {x}. Then you say it backwards.', 'The list: {x}. Reverse.'],
              ['{x}: again', 'I have {x}. Repeat that', 'Take {x} and say it again', '{x}. Now you', 'These are {x}. Say them', 'Here is {x}. Copy it, please', 'My list is {x}. Say it.', 'This is the list: {x}. Read it to me.', 'The items are {x}. Repeat them.', 'The list goes {x}. Once more, please.',
               'The list has {x}. Write it down.', 'We have {x}. Say the same.', 'Look at {x}. Now say it.', '{x}. Say that again in the same order.'])

WAYS = [(forms + more, back) for (forms, back), more in zip(ORDERS, LIST_FIRST)]


class Far(Dense):
    """Facts, pairs or sentences of a text, other talk, and then questions about all of them.  The other talk (role "quiet") is read, not learned."""
    def chat(self, tokens):
        x = self.r.random()
        return self.needles(tokens) if x < .25 else self.later(tokens)

    def filler(self, out, tokens):
        c = self.S.Chat()
        if tokens > 12:
            self.S.filler(self.g, tokens, c)
        out.extend(('user' if m['role'] == 'user' else 'quiet', m['content']) for m in c.m)

    def question(self, kind, o):
        return self.typed(self.fill(self.r.choice(self.forms(kind)[1]), o, ''), ASK_BEFORE, ASK_BEHIND)

    def later(self, tokens):
        """Facts or pairs, other talk with changes in it, questions; in long chats more facts, and questions in the middle too."""
        r, out, known = self.r, [], {}
        size = lambda: sum(len(s) for _, s in out) / 3.6 + 4 * len(out)
        with_pairs = r.random() < .35
        n = r.choice([1, 2, 3, 4, 5, 6] if not with_pairs else [0, 0, 1])
        if tokens > 400:
            n += r.randint(0, 3 if with_pairs else min(9, tokens // 150))
        pairs = []
        if with_pairs:
            x = self.pairs(r.choice([60, 100, 150] if tokens < 400 else [100, 150, 250]))
            pairs, out = [x[i:i + 2] for i in range(2, len(x), 2)], x[:2]
            r.shuffle(pairs)
        kinds = [r.choice(list(TELL) + ['pet', 'person'])] if r.random() < .2 else ()
        while len(known) < n:
            key, kind, o = self.fact(kinds)
            if key in known:
                kinds = ()
                continue
            known[key] = kind, o, self.value(kind, o)
            out += [('user', self.typed(self.statement(*known[key]), BEFORE, BEHIND)), ('assistant', ('Okay. ' + self.answer(*known[key])) if r.random() < .3 else r.choice(TOLD))]
            if r.random() < .2:
                out += r.choice(self.talk)[:2]
        changes = r.choice([0, 0, 1, 1, 2, 3]) if known else 0
        parts = 1 if tokens < 400 else r.choice([1, 2, 3])
        for part in range(parts):
            end = tokens * (part + 1) / parts if part + 1 < parts else tokens
            ask = (min(len(pairs), 5) + len(known)) if part + 1 == parts else min(4, len(known) + len(pairs))
            for _ in range(changes if part == 0 else r.choice([0, 0, 1]) if known else 0):
                self.filler(out, (end - size() - 20 * ask - 30) * r.random() * .5)
                key = r.choice(list(known))
                kind, o, v = known[key]
                w = self.value(kind, o)
                if w != v:
                    known[key] = kind, o, w
                    out += [('user', self.changed(kind, o, w)), ('assistant', ('Okay. ' + self.answer(kind, o, w)) if r.random() < .3 else r.choice(CHANGED))]
            self.filler(out, end - size() - 20 * ask - 10)
            asks = [[('user', self.question(kind, o)), ('assistant', self.answer(kind, o, v))] for kind, o, v in known.values()] + pairs[5 * part:5 * part + 5]
            if r.random() < .15:
                key, kind, o = self.fact()
                if key not in known:
                    asks.append([('user', self.question(kind, o)), ('assistant', 'You have not told me that yet.')])
            r.shuffle(asks)
            out += [m for e in (asks if part + 1 == parts else asks[:ask]) for m in e]
        return out

    def needles(self, tokens):
        r, S, said = self.r, self.S, {}
        for _ in range(r.choice([1, 2, 3, 4]) + (r.randint(0, 5) if tokens > 400 else 0)):
            i = r.randrange(5)
            w = r.choice(self.names) if i in (1, 3) else r.choice(PEOPLE) if i == 4 or r.random() < .2 else r.choice(S.ADJ + S.COLORS) + ' ' + r.choice(S.OBJECTS + S.PLACES) if r.random() < .8 else r.choice(S.OBJECTS + S.SECRET)
            line, qs = NEEDLES[i]
            v = self.number() if i == 0 else self.spot() if i == 2 else r.choice(S.FOODS if i == 3 else self.names if i == 4 else self.words)
            put = lambda s: upper(s.replace('{w}', w).replace('{v}', v))
            said[w] = put(line), [put(q) for q in qs]
        text = re.split(r'(?<=[.!?]) (?=[A-Z"])', S.passage(self.g, max(20, tokens - 30 * len(said) - 20)))
        for line, _ in said.values():
            text.insert(r.randrange(len(text) + 1), line)
        out = [('user', r.choice(['Read this. ', 'A text: ', 'Here is a story. ', '', 'Listen. ', 'I read this today: ']) + ' '.join(text)), ('assistant', r.choice(['I have read it.', 'Okay, I have read it.', 'Ask me.']))]
        for line, qs in r.sample(list(said.values()), len(said)):
            out += [('user', self.typed(r.choice(qs), ASK_BEFORE, ASK_BEHIND)), ('assistant', line)]
        return out


PEOPLE = 'king of the birds;owner of the shop;captain of the ship;biggest ship;oldest man;smallest mouse;cook of the queen;queen;king;captain;wizard;witch;baker;miller;old man;old woman;giant;teacher;mayor;princess;hunter;fisherman;tallest tree;small village;big ship;black horse;singer'.split(';')
NEEDLES = [('The number of the {w} is {v}.', ['What is the number of the {w}?', 'Which number has the {w}?', 'What number does the {w} have?', 'Tell me which number the {w} has.', 'The number of the {w}?', 'Which number is on the {w}?']),
           ('The secret word of {w} is {v}.', ['What is the secret word of {w}?', 'Which secret word has {w}?', 'The secret word of {w}?', 'What secret word does {w} know?', "What is {w}'s secret word?"]),
           ('The {w} is {v}.', ['Where is the {w}?', 'Where was the {w}?', 'Where do I find the {w}?', 'In which place is the {w}?', 'The {w}, where is it?', 'Tell me where the {w} is.', 'Do you know the place of the {w}?', 'Can you tell me where the {w} is?', 'Do you know where I find the {w}?']),
           ('The favorite food of {w} is {v}.', ['What is the favorite food of {w}?', 'What does {w} like to eat?', 'Which food does {w} love?', 'The favorite food of {w}?', "What is {w}'s favorite food?"]),
           ('The name of the {w} is {v}.', ['What is the name of the {w}?', 'What is the {w} called?', 'The name of the {w}?', 'How do they call the {w}?', 'Which name has the {w}?'])]
LITTLE = set('my the i they no we you as where when who what which how do a an with give say name remind help find look keep here there in on to now our this everybody call being'.split())


def drill_chats(S, r, n):
    d = Drill(S, r)
    return [d.chat(r.choice((56, 56, 116, 116, 116, 235, 235, 470))) for _ in range(n)]


def far_chats(S, r, n, lengths=(115, 230, 230, 450, 450, 920, 920, 1780)):
    d = Far(S, r)
    return [d.chat(r.choice(lengths)) for _ in range(n)]


def dense_chats(S, r, n, longest=512):
    d = Dense(S, r)
    return [d.chat(r.choice([t for t in (60, 60, 60, 124, 124, 124, 250, 250, 500, 1000) if t <= longest])) for _ in range(n)]
